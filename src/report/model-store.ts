import type { Drill } from '../engine/drill.js';
import { utc } from './visible.js';

/** Where the run was registered, and which runs stood there without a bundle. */
export interface StoreView {
  readonly registered: string;
  readonly open: readonly { readonly run: string; readonly what: string; readonly refused: boolean }[];
}

export function storeView({ store }: Drill): StoreView | null {
  if (store === undefined) return null;
  const held = store.lock === null ? 'which does not keep anybody from removing it' : `where nobody${store.lock.mode === 'governance' ? ' without a right of their own' : ''} may remove that until ${utc(store.lock.until)}`;
  return { registered: `Before anything was started, the run was registered in ${store.where}, ${held}.`, open: store.open.map((each) => ({ run: each.run, what: openWords(each), refused: each.refused })) };
}

/** What is known of a registered run whose bundle is not in the store. */
export function openWords({ plan, operator, at, refused }: NonNullable<Drill['store']>['open'][number]): string {
  if (plan === null) return `its registration cannot be read${refused ? '; it says that it was refused' : ''}`;
  const who = `${operator === null ? '' : `by ${operator}, `}${at === null ? '' : `${utc(at)}, `}plan ${plan.slice(0, 12)}…`;
  return refused ? `${who}; it says that it was refused before its fault, so that no bundle is due` : `${who}; it left no bundle`;
}
