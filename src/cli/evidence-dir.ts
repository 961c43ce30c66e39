import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, UsageError } from '../engine/errors.js';
import { readHistory } from '../evidence/history/read.js';
import { parseAllowedSigners, type AllowedSigner } from '../evidence/ssh/allowed-signers.js';
import type { History } from '../report/history/types.js';
import { visible } from '../report/visible.js';
import type { CommandIo } from './io.js';
import { stateDir } from './state.js';

/** The bundles in a folder, through the cache in the state directory. Throws UsageError when there is no such folder. */
export async function readEvidence(evidenceDir: string, io: CommandIo): Promise<History> {
  const folder = resolve(io.cwd, evidenceDir);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) throw new UsageError(`there is no folder of bundles ${visible(evidenceDir)}; name one with --evidence-dir`);
  return readHistory(folder, join(stateDir(io.env, io.cwd), 'history'));
}

/** Whom the caller trusts; nobody when no file is given. Throws UsageError. */
export async function readSigners(file: string | undefined, io: CommandIo): Promise<AllowedSigner[]> {
  if (file === undefined) return [];
  const text = await readFile(resolve(io.cwd, file), 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read the allowed signers: ${messageOf(error)}`);
  });
  return parseAllowedSigners(text, file);
}

/** A day (`2026-12-31`, its last moment) or a UTC time. Throws UsageError. */
export function parseTime(text: string, option: string): Date {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T23:59:59.999Z`) : /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/.test(text) ? new Date(text) : undefined;
  if (time === undefined || Number.isNaN(time.getTime())) throw new UsageError(`${option}: expected a day such as 2026-12-31 or a UTC time such as 2026-12-31T12:00:00Z, found ${JSON.stringify(text)}`);
  return time;
}
