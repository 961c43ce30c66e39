import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock, Instant } from './define-step.js';

/** setTimeout takes no more than this many milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** This host's clock: `mono` is process.hrtime.bigint() in ns as a decimal string, `at` is UTC with milliseconds. */
export function systemClock(): Clock {
  return { now, sleep };
}

function now(): Instant {
  return { mono: process.hrtime.bigint().toString(), at: new Date().toISOString() };
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const ends = performance.now() + ms;
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const wait = () => {
      const left = ends - performance.now();
      if (left > 0) timer = setTimeout(wait, Math.min(Math.ceil(left), longestTimer));
      else {
        signal.removeEventListener('abort', stop);
        resolve();
      }
    };
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    wait();
  });
}

/** Milliseconds from one point of this boot's monotonic clock to another; exact to 1 ns up to 104 days. */
export function monoMs(from: Pick<Instant, 'mono'>, to: Pick<Instant, 'mono'>): number {
  return Number(BigInt(to.mono) - BigInt(from.mono)) / 1e6;
}

let boot: string | undefined;

/**
 * Says whether two `mono` values can be subtracted: they can when they bear the same boot id. Linux: the kernel's
 * random/boot_id. macOS: kern.bootsessionuuid. Elsewhere one random id per process, so that every process counts as
 * a segment of its own and gaps between segments are counted by UTC, which is the cautious side.
 */
export function bootId(): string {
  return (boot ??= readBootId());
}

function readBootId(): string {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    if (process.platform === 'darwin') return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim().toLowerCase();
  } catch {
    // No such file or program (a locked-down container): the per-process id below is the cautious answer.
  }
  return `process-${randomUUID()}`;
}
