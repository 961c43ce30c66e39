import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { called } from '../engine/called.js';
import type { Drill } from '../engine/drill.js';
import { UsageError } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import type { Plan } from '../engine/plan-document.js';
import { createStyle, wantsColour } from '../report/style.js';
import { createProgress } from '../report/terminal.js';
import { summary } from '../report/terminal-summary.js';
import { isAlive } from './alive.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';
import { here, operator } from './note.js';
import { post } from './spool.js';
import { findRun, readMeta, stateDir } from './state.js';

const pollMs = 100;

/**
 * `muster attach`: shows a running drill from its journal as the terminal that started it does, and has the drill write down who
 * follows it. Ctrl-C ends the looking, never the drill. Ends with the drill, with its exit code.
 */
export async function attach(name: string, { who }: { readonly who: string | undefined }, io: CommandIo): Promise<number> {
  const paths = await findRun(stateDir(io.env, io.cwd), name);
  const meta = await readMeta(paths);
  if (!(await isAlive(meta))) throw new UsageError(`run ${paths.id} is not running; muster ps says what to do about it`);
  const plan = JSON.parse(await readFile(paths.plan, 'utf8')) as Plan;
  const journal = await open(paths.journal, 'r');
  let closes: string | null = null;
  const left = new AbortController();
  const leave = (): void => left.abort();
  process.on('SIGINT', leave).on('SIGTERM', leave).on('SIGHUP', leave);
  const progress = await createProgress({ plan, stream: process.stderr, env: io.env });
  const said = post(paths.spool, { kind: 'attached', who: who?.trim() || operator(), host: here() }, async () => !left.signal.aborted && (await isAlive(meta))).catch(() => false);
  try {
    const lines = new JournalTail(async (buffer, position) => (await journal.read(buffer, 0, buffer.length, position)).bytesRead);
    const take = async (): Promise<boolean> => {
      let ended = false;
      for (const event of await lines.next()) {
        progress.event(event);
        if (event.type === 'run.started') closes = event.data.closes?.run ?? null;
        ended ||= event.type === 'run.finished';
      }
      return ended;
    };
    for (;;) {
      const alive = await isAlive(meta);
      if ((await take()) || !alive || left.signal.aborted) break;
      await pause(pollMs, undefined, { signal: left.signal }).catch(() => undefined);
    }
    // The bundle is written after the last line.
    while (!left.signal.aborted && (await isAlive(meta))) await pause(pollMs, undefined, { signal: left.signal }).catch(() => undefined);
  } finally {
    await progress.close();
    await journal.close();
    process.off('SIGINT', leave).off('SIGTERM', leave).off('SIGHUP', leave);
    await said;
  }
  if (left.signal.aborted) {
    io.stderr(`\nDetached; run ${paths.id} goes on. Follow it again: ${called} attach ${paths.id}\n`);
    return exitCodes.passed;
  }
  return outcome(paths.id, { bundle: join(meta.evidenceDir, paths.id), closes }, io);
}

async function outcome(run: string, places: { readonly bundle: string; readonly closes: string | null }, io: CommandIo): Promise<number> {
  let drill: Drill;
  try {
    drill = JSON.parse(await readFile(join(places.bundle, 'data/drill.json'), 'utf8')) as Drill;
  } catch {
    io.stderr(`Run ${run} has ended without a bundle: it was refused, or its process died. muster ps says whether something is left.\n`);
    return exitCodes.notPassed;
  }
  io.stdout(summary(drill, places, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  return exitCodeOf(drill);
}

/** The whole lines of a growing file, from its beginning. */
class JournalTail {
  #position = 0;
  #rest = Buffer.alloc(0);

  constructor(private readonly read: (buffer: Buffer, position: number) => Promise<number>) {}

  async next(): Promise<DrillEvent[]> {
    const chunk = Buffer.alloc(1 << 16);
    for (;;) {
      const bytes = await this.read(chunk, this.#position);
      if (bytes === 0) break;
      this.#position += bytes;
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(0, bytes)]);
    }
    const end = this.#rest.lastIndexOf(0x0a) + 1;
    const text = this.#rest.subarray(0, end).toString('utf8');
    this.#rest = this.#rest.subarray(end);
    return text === '' ? [] : text.trimEnd().split('\n').map((line) => JSON.parse(line) as DrillEvent);
  }
}
