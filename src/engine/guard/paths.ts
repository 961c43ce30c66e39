import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';

const maxLinks = 40;

/**
 * Where a path really leads: `..` and every symlink resolved, also a dangling one; what does not exist yet keeps
 * its names. Throws TypeError when the path is relative or holds a NUL, Error on a loop of symlinks.
 */
export function realOf(path: string, links = 0): string {
  if (!isAbsolute(path) || path.includes('\0')) throw new TypeError(`expected an absolute path, found ${JSON.stringify(path)}`);
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || whole === dirname(whole)) throw error;
  }
  const parent = realOf(dirname(whole), links);
  const place = join(parent, basename(whole));
  const target = linkAt(place);
  if (target === undefined) return place;
  if (links >= maxLinks) throw new Error(`too many symlinks at ${path}`);
  return realOf(resolve(parent, target), links + 1);
}

/** Is `path` the folder `root` or below it? Both as `realOf` gives them. */
export function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
}

function linkAt(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
