import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, StepError } from '../../../engine/errors.js';
import { codeOf } from '../errors.js';
import type { BackupInfo } from '../port.js';

/** Written last, beside the files of a backup: a folder in base/ without it is no finished backup. */
export interface BackupManifest {
  readonly format: 'muster-directory-backup/1';
  readonly backup: BackupInfo;
  /** Of the source: a copy in recovery needs at least these. */
  readonly limits: Readonly<Record<string, number>>;
  /** Tablespaces by oid; their files are in tablespaces/<oid>. */
  readonly tablespaces: readonly string[];
}

export const manifestName = 'manifest.json';

/** Every finished backup of the folder. Throws StepError `bad-manifest`. */
export async function readManifests(base: string): Promise<{ readonly folder: string; readonly manifest: BackupManifest }[]> {
  const found = [];
  for (const name of (await readdir(base)).toSorted()) {
    if (name.startsWith('.')) continue;
    const folder = join(base, name);
    let text: string;
    try {
      text = await readFile(join(folder, manifestName), 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') continue;
      throw error;
    }
    found.push({ folder, manifest: parse(text, folder) });
  }
  return found;
}

function parse(text: string, folder: string): BackupManifest {
  try {
    const manifest: unknown = JSON.parse(text);
    if (isManifest(manifest)) return manifest;
  } catch (error) {
    throw new StepError('bad-manifest', `${join(folder, manifestName)} is no JSON: ${messageOf(error)}`);
  }
  throw new StepError('bad-manifest', `${join(folder, manifestName)} is not a manifest of muster-directory-backup/1`);
}

function isManifest(value: unknown): value is BackupManifest {
  return typeof value === 'object' && value !== null && 'format' in value && value.format === 'muster-directory-backup/1' && 'backup' in value && 'limits' in value && 'tablespaces' in value;
}
