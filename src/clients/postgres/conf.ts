import { lchown, open, rm } from 'node:fs/promises';
import type { Owner } from './owner.js';

/** One word for /bin/sh. */
function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A path inside archive_command or restore_command: quoted for the shell, with `%` doubled for PostgreSQL. */
export function commandPath(path: string): string {
  return shellQuote(path).replaceAll('%', '%%');
}

/** Lines of postgresql.conf. Throws RangeError on a name or value that no line can hold. */
export function confLines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][\w.]*$/.test(name) || /[\n\r\0]/.test(value)) throw new RangeError(`not a PostgreSQL setting: ${name}`);
      return `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`;
    })
    .join('');
}

/** The text without the lines that set one of `names`. */
export function withoutSettings(text: string, names: ReadonlySet<string>): string {
  return text
    .split('\n')
    .filter((line) => !names.has((/^\s*([A-Za-z_][\w.]*)\s*[= ]/.exec(line)?.[1] ?? '').toLowerCase()))
    .join('\n');
}

/**
 * Writes a file anew and gives it to `owner`. It is not flushed: what it stands beside is not either. What stood there is removed first, never followed: a folder of another
 * user may hold symlinks.
 */
export async function writeOwned(path: string, content: string | Uint8Array, owner: Owner, mode = 0o600): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    if (owner.uid !== null && owner.gid !== null) await file.chown(owner.uid, owner.gid);
  } finally {
    await file.close();
  }
}

export async function giveTo(path: string, owner: Owner): Promise<void> {
  if (owner.uid !== null && owner.gid !== null) await lchown(path, owner.uid, owner.gid);
}
