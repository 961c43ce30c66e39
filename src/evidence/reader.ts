import { constants } from 'node:fs';
import { createHash } from 'node:crypto';
import { lstat, open, opendir, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../engine/errors.js';
import { logName, tagFiles, tagManifest } from './texts.js';

/** Something wrong with a bundle. */
export interface Defect {
  readonly code: DefectCode;
  readonly file?: string;
  readonly detail: string;
}

export type DefectCode =
  | 'unreadable'
  | 'not-regular'
  | 'missing-file'
  | 'unexpected-file'
  | 'too-large'
  | 'not-utf8'
  | 'manifest-form'
  | 'manifest-path'
  | 'manifest-duplicate'
  | 'manifest-missing'
  | 'manifest-extra'
  | 'digest-differs'
  | 'not-canonical'
  | 'not-json'
  | 'schema'
  | 'journal-broken'
  | 'journal-incomplete'
  | 'plan-differs'
  | 'document-differs'
  | 'evidence-differs'
  | 'verdict-differs'
  | 'report-differs'
  | 'tag-differs'
  | 'unsigned';

/** What was read of a bundle: nothing in it was believed. */
export interface ReadBundle {
  readonly root: string;
  /** Every regular file but logs, by path relative to the bundle. Only those that are valid UTF-8. */
  readonly texts: ReadonlyMap<string, string>;
  /** Digest and size of every regular file. */
  readonly digests: ReadonlyMap<string, { readonly sha256: string; readonly bytes: number }>;
  readonly defects: Defect[];
}

const MiB = 1024 * 1024;
const maxEntries = 50_000;
const maxDepth = 3;
/** Strings are kept in memory; logs are only hashed. */
const maxBytes = (path: string) => (path === 'data/events.jsonl' ? 256 * MiB : path.startsWith('data/logs/') ? 4096 * MiB : 32 * MiB);

const fixed = new Set<string>([...tagFiles, tagManifest, 'data/drill.json', 'data/environment.yaml', 'data/events.jsonl', 'data/plan.json', 'data/report.html', 'data/runbook.yaml']);
const folders = new Set(['data', 'data/evidence', 'data/logs']);

/** Could the file stand in a bundle at all? */
export function isKnownPath(path: string): boolean {
  if (fixed.has(path)) return true;
  if (path.startsWith('data/evidence/')) return /^[a-z][a-z0-9-]*\.json$/.test(path.slice('data/evidence/'.length));
  return path.startsWith('data/logs/') && logName.test(path.slice('data/logs/'.length));
}

/** Reads a bundle as if its maker were hostile: no symlink is followed, nothing but regular files is opened, sizes are bounded. */
export async function readBundle(folder: string): Promise<ReadBundle> {
  const root = await realpath(folder);
  const texts = new Map<string, string>();
  const digests = new Map<string, { sha256: string; bytes: number }>();
  const defects: Defect[] = [];
  const files = await list(root, defects);
  for (const path of files.toSorted()) {
    if (!isKnownPath(path)) {
      defects.push({ code: 'unexpected-file', file: path, detail: 'no file of this name belongs in a bundle' });
      continue;
    }
    try {
      const read = await readRegular(join(root, path), maxBytes(path), !path.startsWith('data/logs/'));
      if (read === undefined) {
        defects.push({ code: 'too-large', file: path, detail: `larger than ${maxBytes(path) / MiB} MiB` });
        continue;
      }
      digests.set(path, { sha256: read.sha256, bytes: read.bytes });
      if (read.content === undefined) continue;
      const text = utf8(read.content);
      if (text === undefined) defects.push({ code: 'not-utf8', file: path, detail: 'the file is not valid UTF-8' });
      else texts.set(path, text);
    } catch (error) {
      defects.push({ code: 'unreadable', file: path, detail: messageOf(error) });
    }
  }
  for (const path of fixed) if (!files.includes(path)) defects.push({ code: 'missing-file', file: path, detail: 'every bundle has this file' });
  return { root, texts, digests, defects };
}

/** Regular files below `root`; all else is a defect. */
async function list(root: string, defects: Defect[]): Promise<string[]> {
  const files: string[] = [];
  let entries = 0;
  const walk = async (folder: string, depth: number): Promise<void> => {
    for await (const { name } of await opendir(join(root, folder))) {
      entries += 1;
      if (entries > maxEntries) return;
      const path = folder === '' ? name : `${folder}/${name}`;
      try {
        const found = await lstat(join(root, path));
        if (found.isDirectory()) {
          if (!folders.has(path)) defects.push({ code: 'unexpected-file', file: path, detail: 'no folder of this name belongs in a bundle' });
          if (depth < maxDepth) await walk(path, depth + 1);
        } else if (found.isFile()) files.push(path);
        else defects.push({ code: 'not-regular', file: path, detail: found.isSymbolicLink() ? 'a symbolic link; a bundle holds regular files only' : 'not a regular file' });
      } catch (error) {
        defects.push({ code: 'unreadable', file: path, detail: messageOf(error) });
      }
    }
  };
  await walk('', 0);
  if (entries > maxEntries) defects.push({ code: 'too-large', detail: `more than ${maxEntries} files` });
  return files;
}

interface ReadFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly content?: Buffer;
}

/** Undefined when the file has more than `max` bytes. Never blocks on a FIFO and never follows a link. */
async function readRegular(file: string, max: number, keep: boolean): Promise<ReadFile | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('not a regular file');
    if (found.size > max) return undefined;
    return await hashed(handle, max, keep);
  } finally {
    await handle.close();
  }
}

async function hashed(handle: FileHandle, max: number, keep: boolean): Promise<ReadFile | undefined> {
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > max) return undefined;
    hash.update(chunk);
    if (keep) kept.push(chunk);
  }
  return { sha256: hash.digest('hex'), bytes, ...(keep ? { content: Buffer.concat(kept) } : {}) };
}

function utf8(content: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}
