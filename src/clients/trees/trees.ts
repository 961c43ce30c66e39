import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { packageRoot } from '../../engine/package-root.js';
import type { Answer, CopyTree, Task } from './work.js';

export type CopyOptions = Pick<CopyTree, 'owner' | 'living' | 'except'> & { readonly signal: AbortSignal };

/** Threads that wait for work. They keep no process alive. */
const idle = new Set<Worker>();

/**
 * Copies a folder with modes and symlinks (as they are) into a new folder `to`, in a thread of its own: thousands of small files
 * would hold up the clock of every probe. Returns the bytes of its files. Throws what the file system said, with its `code`.
 */
export async function copyTree(from: string, to: string, { owner: { uid, gid }, signal, ...options }: CopyOptions): Promise<number> {
  return inThread({ do: 'copy', from, to, owner: { uid, gid }, ...options }, signal);
}

/** As `rm -rf`, in a thread of its own. What is not there is fine. */
export async function removeTree(path: string): Promise<void> {
  await inThread({ do: 'remove', path });
}

/** Starts a thread for whoever will copy soon and waits for something else meanwhile. */
export function readyThread(): void {
  if (idle.size === 0) rest(newThread());
}

function newThread(): Worker {
  const worker = new Worker(join(packageRoot(), 'dist', 'command', 'tree-thread.cjs'));
  // Whoever waits for it hears of its end by himself.
  worker.on('error', () => undefined);
  worker.once('exit', () => idle.delete(worker));
  return worker;
}

function rest(worker: Worker): void {
  worker.unref();
  idle.add(worker);
}

function rested(): Worker {
  const [worker = newThread()] = idle;
  idle.delete(worker);
  worker.ref();
  return worker;
}

/** One that is aborted ends with its thread, at the file that it is at; only then may anybody tidy up behind it. */
async function inThread(task: Task, signal?: AbortSignal): Promise<number> {
  signal?.throwIfAborted();
  const worker = rested();
  const over = new AbortController();
  const end = (): void => void worker.terminate();
  signal?.addEventListener('abort', end, { signal: over.signal });
  worker.postMessage(task);
  try {
    const [answer] = (await Promise.race([once(worker, 'message', { signal: over.signal }), once(worker, 'exit', { signal: over.signal }).then(() => [])])) as [Answer?];
    signal?.throwIfAborted();
    if (answer === undefined) throw new Error('the thread that works on files ended');
    rest(worker);
    if (answer.error !== undefined) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return answer.bytes;
  } finally {
    over.abort();
  }
}
