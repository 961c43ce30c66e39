import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Output } from './output.js';

/** How often a file that a command writes is looked at, in ms. */
const everyMs = 50;

/** Where a command writes what it says, so that it can go on saying it when whoever started it is gone. */
export class Tail {
  #ended = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(
    /** For the child, which gets its descriptor: nothing goes through this process. */
    readonly stream: WriteStream,
    private readonly read: FileHandle,
    private readonly output: Output,
  ) {}

  /** A new file, which nobody else may read. */
  static async create(path: string, output: Output): Promise<Tail> {
    const stream = createWriteStream(path, { flags: 'w', mode: 0o600 });
    await once(stream, 'open');
    const tail = new Tail(stream, await open(path, 'r'), output);
    tail.#done = tail.#follow();
    // `end` tells.
    tail.#done.catch(() => undefined);
    return tail;
  }

  /** Once the child has ended: takes the rest in. Safe to call twice. */
  async end(): Promise<void> {
    if (this.#ended) return this.#done;
    this.#ended = true;
    try {
      await this.#done;
    } finally {
      this.stream.destroy();
      await this.read.close();
    }
  }

  async #follow(): Promise<void> {
    const buffer = Buffer.alloc(1 << 16);
    for (;;) {
      const last = this.#ended;
      for (;;) {
        const { bytesRead } = await this.read.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) break;
        this.output.add(Buffer.from(buffer.subarray(0, bytesRead)));
      }
      if (last) return;
      await pause(everyMs);
    }
  }
}
