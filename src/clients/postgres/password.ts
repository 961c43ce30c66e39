import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StepError } from '../../engine/errors.js';

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** The five fields of a pgpass line: `\:` and `\\` are escaped (PostgreSQL manual, "The Password File"). */
function fields(line: string): string[] {
  const found: string[] = [''];
  for (let i = 0; i < line.length; i += 1) {
    const char = line[i] ?? '';
    if (char === '\\' && i + 1 < line.length) found.push((found.pop() ?? '') + (line[(i += 1)] ?? ''));
    else if (char === ':' && found.length < 5) found.push('');
    else found.push((found.pop() ?? '') + char);
  }
  return found;
}

/** The password of the first line that matches, or undefined. */
export function fromPassFile(text: string, login: Login): string | undefined {
  const wanted = [login.host, String(login.port), login.database, login.user];
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const found = fields(line);
    if (found.length === 5 && wanted.every((value, i) => found[i] === '*' || found[i] === value)) return found[4];
  }
  return undefined;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The password in one of `files`, those of the run's own servers; else the usual one. */
export async function passwordFor(login: Login, files: readonly string[]): Promise<string> {
  for (const file of files) {
    const password = fromPassFile(textOf(file), login);
    if (password !== undefined) return password;
  }
  return usualPassword(login);
}

/**
 * What libpq would use: PGPASSWORD, else the password file (PGPASSFILE or ~/.pgpass), which others may not read.
 * Throws StepError `postgres-no-password`; it is asked only when the server wants a password.
 */
export async function usualPassword(login: Login, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const given = environment['PGPASSWORD'];
  if (given !== undefined && given !== '') return given;
  const file = environment['PGPASSFILE'] ?? join(homedir(), '.pgpass');
  const missing = (why: string): StepError =>
    new StepError('postgres-no-password', `${login.host}:${login.port} asks for the password of ${login.user}, and ${why}`, { hint: 'Set PGPASSWORD, or add a line to the pgpass file.' });
  let text: string;
  try {
    if (((await stat(file)).mode & 0o077) !== 0) throw missing(`${file} is ignored because others may read it`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw error instanceof StepError ? error : missing(`neither PGPASSWORD nor ${file} has one`);
  }
  const password = fromPassFile(text, login);
  if (password === undefined) throw missing(`${file} has no line for it`);
  return password;
}

/** After a refusal: the password file, which may have been renewed, goes before PGPASSWORD, which cannot be. */
export async function renewedPassword(login: Login, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { PGPASSWORD: given, ...others } = environment;
  return usualPassword(login, others).catch((error: unknown) => {
    if (given === undefined || given === '') throw error;
    return given;
  });
}
