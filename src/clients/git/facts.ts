import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, RefusedError } from '../../engine/errors.js';
import type { PlanBinding } from '../../engine/plan-document.js';

/** What git knows of one file. `clean`: the file on disk is byte for byte what HEAD has. */
export type GitFacts = NonNullable<PlanBinding['runbook']['git']>;

/**
 * null when the file lies in no repository. Throws RefusedError when git could not tell: an unowned repository, a
 * broken one, no git. Not knowing is never taken for clean. Nothing in the repository is written or run.
 */
export async function gitFacts(file: string): Promise<GitFacts | null> {
  const real = await realpath(file);
  const folder = dirname(real);
  const repository = repositoryAbove(folder);
  if (repository === undefined) return null;
  const top = await git(folder, ['rev-parse', '--show-toplevel'], /not a git repository/i);
  if (top === undefined) throw new RefusedError(`git takes ${repository} for no repository; it may be broken`);
  const root = top.replace(/\n$/, '');
  const path = relative(await realpath(root), real).split(sep).join('/');
  const [head, indexed] = await Promise.all([git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], /^$/), git(root, ['ls-files', '-z', '--', `:(top,literal)${path}`], undefined)]);
  const commit = head?.trim() ?? null;
  const inHead = commit === null ? '' : ((await git(root, ['ls-tree', '-z', commit, '--', `:(top,literal)${path}`], undefined)) ?? '');
  const committed = /^\d+ blob ([0-9a-f]+)\t/.exec(inHead)?.[1];
  if (committed === undefined) return { commit, path, tracked: indexed !== '', clean: false };
  return { commit, path, tracked: true, clean: blobId(await readFile(real), committed.length) === committed };
}

/** The .git in `folder` or above. */
function repositoryAbove(folder: string): string | undefined {
  const place = join(folder, '.git');
  if (existsSync(place)) return place;
  return folder === dirname(folder) ? undefined : repositoryAbove(dirname(folder));
}

/** As `git hash-object --no-filters`: filters would run programs that the repository's configuration names. Ids of 64 digits are SHA-256. */
function blobId(content: Buffer, digits: number): string {
  return createHash(digits === 64 ? 'sha256' : 'sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

/** stdout; undefined where git fails and says what `absent` matches. */
export async function git(cwd: string, args: readonly string[], absent: RegExp | undefined): Promise<string | undefined> {
  const env: NodeJS.ProcessEnv = { LC_ALL: 'C' };
  // GIT_DIR, GIT_WORK_TREE, GIT_CONFIG_* and the like would make git look at another repository.
  for (const [name, value] of Object.entries(process.env)) if (!name.startsWith('GIT_') && !name.startsWith('LC_')) env[name] = value;
  try {
    const { stdout } = await promisify(execFile)('git', ['--no-optional-locks', '-c', 'core.fsmonitor=false', ...args], { cwd, env, timeout: 30_000, maxBuffer: 1 << 24 });
    return stdout;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : messageOf(error);
    if (absent !== undefined && absent.test(stderr)) return undefined;
    throw new RefusedError(`git could not tell whether files in ${cwd} are committed: ${stderr === '' ? messageOf(error) : stderr}`, ['Mend what git complains of; an environment with "runbooks: any" does not ask for committed files, but this must be known, not guessed.'], { cause: error });
  }
}
