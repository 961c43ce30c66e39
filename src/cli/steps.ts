import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalog, type CatalogEntry } from '../engine/catalog.js';
import { didYouMean } from '../engine/load/nearest.js';
import { packageRoot } from '../engine/package-root.js';
import type { CommandIo } from './io.js';

/** `muster steps`: 0, or 2 when there is no such type. */
export function steps(type: string | undefined, io: CommandIo): number {
  const types = catalog();
  if (type === undefined) {
    io.stdout(listing([...types.values()]));
    return 0;
  }
  if (!types.has(type)) {
    io.stderr(`there is no type "${type}"; ${didYouMean(type, types.keys()) ?? 'muster steps lists them'}\n`);
    return 2;
  }
  io.stdout(reference(type));
  return 0;
}

function listing(entries: readonly CatalogEntry[]): string {
  const width = Math.max(0, ...entries.map((entry) => entry.type.length));
  const part = (title: string, role: CatalogEntry['role']) => {
    const lines = entries.filter((entry) => entry.role === role).map((entry) => `  ${entry.type.padEnd(width)}  ${entry.summary}\n`);
    return lines.length === 0 ? [] : [`${title}\n${lines.join('')}`];
  };
  return [...part('Steps', 'step'), ...part('Probes', 'probe'), ...part('Watchers (for environments)', 'watcher'), ...part('Provisioners (for environments)', 'provisioner')].join('\n');
}

/** One entry of docs/steps.md, which is generated from the definitions. */
function reference(type: string): string {
  const page = readFileSync(join(packageRoot(), 'docs', 'steps.md'), 'utf8');
  const start = page.indexOf(`\n### ${type}\n`) + 1;
  const next = page.slice(start + 1).search(/\n##+ /);
  return `${(next === -1 ? page.slice(start) : page.slice(start, start + 1 + next)).trimEnd()}\n`;
}
