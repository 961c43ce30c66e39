import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../src/engine/package-root.js';

export const muster = join(packageRoot(), 'bin', 'muster.js');

export interface Ended {
  readonly ms: number;
  /** The most memory that the process itself ever held (VmHWM), as the kernel counted it. */
  readonly peakMb: number;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are no failure of the benchmark; default 0 alone. */
  readonly ok?: readonly number[];
  readonly onLine?: (line: string) => void;
}

/** Runs node with `args` and waits for its end. Its wall time holds the start and the end of the process. */
export function runNode(args: readonly string[], options: ChildOptions = {}): Promise<Omit<Ended, 'peakMb'>> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    let [stdout, stderr, partial] = ['', '', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      const lines = (partial + chunk).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) options.onLine?.(line);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    let ms = 0;
    child.once('exit', () => (ms = performance.now() - started));
    child.once('error', reject);
    child.once('close', (code) => {
      if ((options.ok ?? [0]).includes(code ?? -1)) resolve({ ms, code, stdout, stderr });
      else reject(new Error(`node ${args.join(' ')} ended with ${code}: ${stdout.slice(-2_000)} ${stderr.slice(-2_000)}`));
    });
  });
}

/** As `runNode`, and looks at the peak of its memory when it ends; `folder` takes two small files. */
export async function runNodeWithPeak(folder: string, args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  const report = join(folder, 'peak.txt');
  const hook = join(folder, 'peak.cjs');
  await writeFile(hook, `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS)));`);
  const ended = await runNode(['--require', hook, ...args], options);
  const peakMb = Number(await readFile(report, 'utf8')) / 1024;
  await rm(report);
  return { ...ended, peakMb };
}
