import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ControlMapping } from '../../src/engine/record-documents.js';

/** What the reports say of a control that a runbook names, from the mappings that ship: by control. */
export function shippedControls(root: string): Record<string, { framework: string; title: string; shows: string[]; not: string[] }> {
  const folder = join(root, 'mappings');
  return Object.fromEntries(
    readdirSync(folder).toSorted().flatMap((name) => {
      const { metadata, controls } = parse(readFileSync(join(folder, name), 'utf8')) as ControlMapping;
      return controls.map(({ id, title, shows, not }) => [id, { framework: metadata.title, title, shows, not }] as const);
    }),
  );
}
