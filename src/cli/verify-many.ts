import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { packageRoot } from '../engine/package-root.js';
import { parseAllowedSigners } from '../evidence/ssh/allowed-signers.js';
import { verifyBundle, type Verification, type VerifyOptions } from '../evidence/verify.js';

/** Whom the caller trusts, as texts and paths that another thread can be given. */
export interface Trust {
  readonly allowedSigners?: { readonly file: string; readonly text: string } | undefined;
  readonly timestampCa?: string | undefined;
}

/** What is said about a bundle; reports are made from one alone. */
export type Verified = Omit<Verification, 'input'>;

/** Throws UsageError when the allowed signers cannot be read. */
export function optionsOf({ allowedSigners, timestampCa }: Trust): VerifyOptions {
  return {
    ...(allowedSigners === undefined ? {} : { allowedSigners: parseAllowedSigners(allowedSigners.text, allowedSigners.file) }),
    ...(timestampCa === undefined ? {} : { timestampCa }),
  };
}

/** A thread takes longer to start than a few bundles take to check. */
const fewBundles = 8;
const maxThreads = 8;

/** Verifies bundles, many of them on several threads. In the order of `paths`; rejects with the first error of the program. */
export async function verifyMany(paths: readonly string[], trust: Trust): Promise<Verified[]> {
  const options = optionsOf(trust);
  if (paths.length <= fewBundles) {
    const all: Verified[] = [];
    for (const path of paths) all.push(await verifyBundle(path, options));
    return all;
  }
  const results = new Map<number, Verified>();
  const queue = paths.entries();
  const threads = Math.min(availableParallelism(), maxThreads, Math.ceil(paths.length / fewBundles));
  await Promise.all(Array.from({ length: threads }, () => thread(queue, trust, results)));
  return paths.flatMap((_, index) => results.get(index) ?? []);
}

/** One bundle at a time, until the queue is empty. */
function thread(queue: Iterator<[number, string]>, trust: Trust, results: Map<number, Verified>): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(packageRoot(), 'dist', 'command', 'verify-worker.cjs'), { workerData: trust });
    let current = -1;
    const next = () => {
      const { value, done } = queue.next();
      if (done === true) {
        void worker.terminate().then(() => resolve(), reject);
        return;
      }
      const [index, path] = value;
      current = index;
      worker.postMessage(path);
    };
    worker.on('message', (verified: Verified) => {
      results.set(current, verified);
      next();
    });
    worker.once('error', reject);
    next();
  });
}
