import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchRow } from './row.js';

/** Runs every file of this folder that exports `rows` or `<name>Bench` (or those named on the command line) and prints one table. */
const folder = dirname(fileURLToPath(import.meta.url));
const named = process.argv.slice(2);
const files = readdirSync(folder).filter((file) => file.endsWith('.js') && file !== 'main.js' && file !== 'row.js');
let failed = false;
for (const file of files.sort()) {
  if (named.length > 0 && !named.includes(file.replace(/\.js$/, ''))) continue;
  const module = (await import(`./${file}`)) as Readonly<Record<string, unknown>>;
  const bench = Object.entries(module).find(([name, value]) => (name === 'rows' || name.endsWith('Bench')) && typeof value === 'function');
  for (const row of await (bench?.[1] as undefined | (() => BenchRow[] | Promise<BenchRow[]>))?.() ?? []) {
    failed ||= !row.ok;
    const shown = (value: number): string => `${value.toFixed(value < 100 ? 2 : 0)} ${row.unit}`;
    console.log(`${row.ok ? 'ok  ' : 'MISS'}  ${row.name.padEnd(60)} ${shown(row.ratio ?? row.value ?? Number.NaN).padStart(12)}   limit ${shown(row.limit)}`);
  }
}
process.exitCode = failed ? 1 : 0;
