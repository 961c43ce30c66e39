import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/package-root.js';
import { demo, demoRunbook } from './demo.js';
import { runbookOf, withLongJournal } from './long-journal.js';
import { median, ratioInTurn, type BenchRow } from './row.js';

const logs = 4;
const logBytes = 256 * 1024 * 1024;
const journalBytes = 62 * 1024 * 1024;
const rounds = 5;

/**
 * `muster verify` of a bundle of 1 GB against `sha256sum` of the same files, in turn, and its peak memory against that of a small bundle.
 * The same for a journal of 62 MiB, which is parsed, chained and judged line by line: two probes that look five times a second write that in four hours.
 */
export async function verify(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  try {
    const { small, large } = await bundles(folder);
    const files = readdirSync(large, { recursive: true, encoding: 'utf8' }).filter((file) => statSync(join(large, file)).isFile());
    const extra: number[] = [];
    run(process.execPath, verifyArgs(large, folder), folder);
    const ours = () => {
      run(process.execPath, verifyArgs(small, folder), folder);
      const peak = peakMb(folder);
      const took = run(process.execPath, verifyArgs(large, folder), folder);
      extra.push(peakMb(folder) - peak);
      return took;
    };
    const ratio = await ratioInTurn(rounds, ours, () => run('sha256sum', files, large));
    const { small: short, large: long } = await journals(folder);
    const measured = (bundle: string) => [run(process.execPath, verifyArgs(bundle, folder), folder), peakMb(folder)] as const;
    const [brief, lengthy] = [Array.from({ length: rounds }, () => measured(short)), Array.from({ length: rounds }, () => measured(long))];
    const half = (list: readonly (readonly [number, number])[], which: 0 | 1) => median(list.map((one) => one[which]));
    return [
      // 80 % of its throughput.
      { name: 'verify of a bundle of 1 GB / sha256sum of its files', measured: ratio, limit: 1.25, unit: 'x' },
      { name: 'verify of a bundle of 1 GB: memory beyond a small one', measured: median(extra), limit: 64, unit: 'MB' },
      { name: 'verify of a journal of 62 MiB: memory beyond a small one', measured: half(lengthy, 1) - half(brief, 1), limit: 100, unit: 'MB' },
      { name: 'verify of a journal of 62 MiB', measured: half(lengthy, 0), limit: 10_000, unit: 'ms' },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], cwd: string): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  const took = performance.now() - started;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.toString()}`);
  return took;
}

const verifyArgs = (bundle: string, folder: string) => ['--require', join(folder, 'peak.cjs'), join(packageRoot(), 'bin/muster.js'), 'verify', bundle];
const peakMb = (folder: string) => Number(readFileSync(join(folder, 'peak'), 'utf8')) / 1024;

/** Two bundles of one demo drill: as it was, and with a long journal. */
async function journals(folder: string): Promise<{ small: string; large: string }> {
  const below = join(folder, 'demo');
  mkdirSync(below, { mode: 0o755 });
  await demo(below, demoRunbook);
  const [name] = readdirSync(join(below, 'evidence')).filter((each) => !each.startsWith('.'));
  const small = join(below, 'evidence', name ?? '');
  return { small, large: await withLongJournal(small, join(folder, 'long'), journalBytes) };
}

/** Two bundles of a real run of a drill that does nothing: one as it is, one with logs of 1 GB. */
async function bundles(folder: string): Promise<{ small: string; large: string }> {
  writeFileSync(join(folder, 'peak.cjs'), `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'peak'))}, String(process.resourceUsage().maxRSS)))`);
  writeFileSync(join(folder, 'runbook.yaml'), 'apiVersion: muster/v1\nkind: Runbook\nmetadata: { name: bench, version: 1.0.0, title: Bench, owner: bench }\nobjectives: {}\nfault: declared\nrequires: {}\nsteps:\n  - { id: s, phase: verify, uses: wait, with: { for: "0" } }\n');
  writeFileSync(join(folder, 'environment.yaml'), 'apiVersion: muster/v1\nkind: Environment\nmetadata: { name: none, sandbox: true }\nconnections: {}\nboundary: {}\nrunbooks: any\n');
  const { MUSTER_KEY: _, ...rest } = process.env;
  const { status, stderr } = spawnSync(process.execPath, [join(packageRoot(), 'bin/muster.js'), 'run', 'runbook.yaml', '--env', 'environment.yaml', '--yes'], { cwd: folder, env: { ...rest, MUSTER_STATE_DIR: join(folder, 'state') } });
  const [name] = readdirSync(join(folder, 'evidence')).filter((each) => !each.startsWith('.'));
  if (name === undefined) throw new Error(`the drill of the benchmark left no bundle (${status}): ${stderr.toString()}`);
  const small = join(folder, 'evidence', name);
  const { openBundle } = await import('../src/evidence/bag.js');
  const logsDir = join(folder, 'logs');
  mkdirSync(logsDir);
  for (let n = 0; n < logs; n += 1) await writeLog(join(logsDir, `${n}.log`), n);
  const read = (file: string) => readFileSync(join(small, 'data', file), 'utf8');
  const writer = await openBundle(join(folder, 'large'), name);
  const { path } = await writer.finish({ ...runbookOf(read), environmentText: read('environment.yaml'), plan: JSON.parse(read('plan.json')), journalText: read('events.jsonl'), logsDir });
  rmSync(logsDir, { recursive: true });
  return { small, large: path };
}

async function writeLog(file: string, seed: number): Promise<void> {
  const stream = createWriteStream(file);
  const chunk = Buffer.alloc(1024 * 1024, `line of log ${seed}, as a step writes it\n`);
  for (let written = 0; written < logBytes; written += chunk.length) if (!stream.write(chunk)) await once(stream, 'drain');
  stream.end();
  await once(stream, 'close');
}
