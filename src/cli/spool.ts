import { randomBytes } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { strict } from '../engine/schema.js';

/** What another process of the same user tells a running drill: files in a folder of the run, which only that user may enter. */
const Message = Type.Union([
  Type.Object({ kind: Type.Literal('note'), text: Type.String({ minLength: 1, maxLength: 10_000 }), who: Type.String({ minLength: 1, maxLength: 200 }) }, strict),
  Type.Object({ kind: Type.Literal('attached'), who: Type.String({ minLength: 1, maxLength: 200 }), host: Type.String({ maxLength: 300 }) }, strict),
]);
export type Message = Static<typeof Message>;

const pollMs = 100;

export interface Spool {
  /** Takes what has come by now, then stops. */
  close(): Promise<void>;
}

/** Calls `take` for every message, one after the other. A message is answered once `take` has resolved. */
export async function openSpool(folder: string, take: (message: Message) => Promise<void>): Promise<Spool> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const ended = new AbortController();
  const drain = async (): Promise<void> => {
    for (const name of (await readdir(folder).catch(() => [])).filter((entry) => entry.endsWith('.json')).sort()) {
      const file = join(folder, name);
      const message: unknown = await readFile(file, 'utf8').then(JSON.parse).catch(() => undefined);
      if (Value.Check(Message, message)) {
        await take(message);
        await rename(file, file.replace(/\.json$/, '.taken')).catch(() => undefined);
      } else await rm(file, { force: true });
    }
  };
  const polling = (async () => {
    while (!ended.signal.aborted) {
      await drain();
      await pause(pollMs, undefined, { signal: ended.signal, ref: false }).catch(() => undefined);
    }
    await drain();
  })();
  // What could not be journaled shows in the journal itself.
  const settled = polling.catch(() => undefined);
  return {
    async close() {
      ended.abort();
      await settled;
    },
  };
}

/** Hands a message over. False when nobody took it while `isAlive`: the run ends or has ended. */
export async function post(folder: string, message: Message, isAlive: () => Promise<boolean>): Promise<boolean> {
  const name = join(folder, `${String(Date.now()).padStart(15, '0')}-${randomBytes(6).toString('hex')}`);
  const taken = (): Promise<boolean> => access(`${name}.taken`).then(() => true, () => false);
  await writeFile(`${name}.tmp`, JSON.stringify(message), { mode: 0o600, flag: 'wx' });
  await rename(`${name}.tmp`, `${name}.json`);
  while (await isAlive()) {
    if (await taken()) {
      await rm(`${name}.taken`, { force: true });
      return true;
    }
    await pause(pollMs / 2);
  }
  if (await taken()) return true;
  await rm(`${name}.json`, { force: true });
  return false;
}
