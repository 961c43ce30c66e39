import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';

/**
 * The absolute path of a program as a shell would find it: a bare name along `PATH`, a name with a slash from
 * `cwd`. Symlinks are left for the guard to resolve, so that argv[0] keeps the name that was asked for.
 */
export async function findProgram(name: string, cwd: string, path = process.env['PATH'] ?? ''): Promise<string | undefined> {
  if (name === '' || name.includes('\0')) return undefined;
  const places = name.includes('/') ? [isAbsolute(name) ? name : resolve(cwd, name)] : path.split(delimiter).filter(isAbsolute).map((folder) => join(folder, name));
  for (const file of places) if (await isProgram(file)) return file;
  return undefined;
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
