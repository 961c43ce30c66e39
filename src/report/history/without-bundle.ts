import { openWords } from '../model-store.js';
import type { Style } from '../style.js';
import { visible } from '../visible.js';
import type { BundleSummary, WithoutBundle } from './types.js';

/**
 * Of each store what the latest drill saw in it: earlier ones knew less. A run whose bundle is here is not missing. `asked`: stores that
 * were asked just now, instead of what the bundles say of them.
 */
export function withoutBundle(bundles: readonly BundleSummary[], asked: readonly WithoutBundle[]): WithoutBundle[] {
  const latest = new Map<string, WithoutBundle>();
  for (const { run, store } of bundles) if (store !== undefined) latest.set(store.where, { store: store.where, seenBy: run, open: store.open });
  for (const each of asked) latest.set(each.store, each);
  const here = new Set(bundles.map(({ run }) => run));
  return [...latest.values()].map((each) => ({ ...each, open: each.open.filter(({ run }) => !here.has(run)) })).filter(({ open }) => open.length > 0);
}

export function withoutBundleText(stores: readonly WithoutBundle[], style: Style): string {
  return stores.flatMap(({ store, seenBy, open }) => [
    style.bad(`Registered in ${visible(store)}, and without a bundle there and here${seenBy === null ? '' : ` when ${visible(seenBy)} began`}:`),
    ...open.map((each) => `  ${(each.refused ? style.dim : style.warn)(visible(`${each.run}  ${openWords(each)}`))}`),
    '',
  ]).map((line) => `${line}\n`).join('');
}
