import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../engine/package-root.js';

/** A control that the runbook names, as the mappings that ship describe it. */
export interface ControlFacts {
  readonly id: string;
  readonly framework: string;
  readonly title: string;
  /** What a bundle holds of what the control asks a test's record to show, and what no bundle does. */
  readonly shows: string;
  readonly not: string;
}

type Shipped = Readonly<Record<string, { readonly framework: string; readonly title: string; readonly shows: readonly string[]; readonly not: readonly string[] }>>;
let shipped: Shipped | undefined;

export function controlFacts(named: readonly string[]): ControlFacts[] {
  if (named.length === 0) return [];
  shipped ??= JSON.parse(readFileSync(join(packageRoot(), 'schemas', 'controls.json'), 'utf8')) as Shipped;
  const known = shipped;
  return [...new Set(named)].map((id) => {
    const found = Object.hasOwn(known, id) ? known[id] : undefined;
    return { id, framework: found?.framework ?? '', title: found?.title ?? 'in no mapping that ships with Muster', shows: found?.shows.join('; ') ?? '', not: found?.not.join('; ') ?? '' };
  });
}
