import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { BenchRow } from './row.js';

/** Quick ones first; `npm run bench -- startup engine` runs those that are named. */
const benches: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  startup: async () => (await import('./startup.js')).startup(),
  engine: async () => (await import('./engine.js')).engine(),
  exec: async () => (await import('./exec.js')).exec(),
  plan: async () => (await import('./plan.js')).plan(),
  drill: async () => (await import('./drill.js')).drill(),
  rebuild: async () => (await import('./rebuild.js')).rebuild(),
  memory: async () => (await import('./memory.js')).memory(),
  verify: async () => (await import('./verify.js')).verify(),
  history: async () => (await import('./history.js')).history(),
  report: async () => (await import('./report.js')).report(),
  truth: async () => (await import('./truth.js')).truth(),
};

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) {
  console.error(`there is no benchmark ${unknown}: ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  console.log(`node ${process.version}, ${process.platform} ${release()} ${process.arch}, ${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB${load()}`);
  console.log(`${'what'.padEnd(62)} ${'measured'.padStart(10)} ${'limit'.padStart(10)}`);
  for (const [name, bench] of Object.entries(benches)) {
    if (asked.length === 0 || asked.includes(name)) await measure(bench);
  }
}

/** A limit that is missed while others keep the machine busy says nothing: then all of it is measured again, twice at most. */
async function measure(bench: () => Promise<BenchRow[]>): Promise<void> {
  let rows = await bench();
  let times = 1;
  for (; times < 3 && rows.some(({ measured, limit }) => !(measured <= limit)); times += 1) rows = await bench();
  for (const row of rows) print(row);
  if (times > 1) console.log(`  measured ${times} times${load()}`);
}

function print({ name, measured, limit, unit }: BenchRow): void {
  const shown = (value: number): string => `${value < 100 ? value.toFixed(2) : value.toFixed(0)} ${unit.padEnd(2)}`.padStart(10);
  const ok = measured <= limit;
  if (!ok) process.exitCode = 1;
  console.log(`${name.padEnd(62)} ${shown(measured)} ${shown(limit)}  ${ok ? 'ok' : 'MISSED'}`);
}

/** What others do on the machine meanwhile. */
function load(): string {
  try {
    return `, load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0] ?? '?'}`;
  } catch {
    return '';
  }
}
