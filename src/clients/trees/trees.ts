import { once } from 'node:events';
import { lchown, mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { packageRoot } from '../../engine/package-root.js';
import type { Answer, CopyTree, Task } from './work.js';

export type CopyOptions = Pick<CopyTree, 'owner' | 'living' | 'except'> & { readonly signal: AbortSignal };

/** Threads that wait for work. They keep no process alive. */
const idle = new Set<Worker>();

/** So many work on one tree: more of them wait for the disk, or for one another. */
const threads = Math.min(2, availableParallelism());

/**
 * Copies a folder with modes and symlinks (as they are) into a new folder `to`, in threads of its own: thousands of small files
 * would hold up the clock of every probe. Nobody but us can enter it before all is there. Returns the bytes of its files. Throws what
 * the file system said, with its `code`, once no thread works on it any more.
 */
export async function copyTree(from: string, to: string, { owner: { uid, gid }, signal, ...options }: CopyOptions): Promise<number> {
  await mkdir(to, { mode: 0o700 });
  const failed = new AbortController();
  const shares = Array.from({ length: threads }, async (_, nth) => {
    try {
      return await inThread({ do: 'copy', from, to, owner: { uid, gid }, share: { nth, of: threads }, ...options }, AbortSignal.any([signal, failed.signal]));
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  const ends = await Promise.allSettled(shares);
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  if (uid !== null && gid !== null) await lchown(to, uid, gid);
  return ends.reduce((bytes, end) => bytes + (end.status === 'fulfilled' ? end.value : 0), 0);
}

/** As `rm -rf`, in threads of its own. What is not there is fine. */
export async function removeTree(path: string): Promise<void> {
  const of = Math.min(threads, idle.size);
  // To start another thread takes longer than it saves. What goes wrong here is told by what follows.
  if (of > 1) await Promise.allSettled(Array.from({ length: of }, (_, nth) => inThread({ do: 'empty', path, share: { nth, of } })));
  await inThread({ do: 'remove', path });
}

/** Starts threads for whoever will copy soon and waits for something else meanwhile. */
export function readyThreads(): void {
  for (let count = idle.size; count < threads; count += 1) rest(newThread());
}

/** For a process that has no more to do with trees: one with threads takes longer to end. */
export function endThreads(): void {
  for (const worker of idle) {
    idle.delete(worker);
    void worker.terminate();
  }
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
