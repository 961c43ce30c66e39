import { createHash } from 'node:crypto';
import type { DrillEvent } from '../engine/events.js';
import { archiveDefect } from './archive/names.js';
import type { Defect } from './defect.js';
import { openArchive } from './archive-reader.js';
import { maxBytes as maxDocument } from '../engine/load/source.js';
import { JournalCheck, journalFile } from './journal-check.js';
import { sealFile, statementsFile, timestampFile } from './seal-files.js';
import { folderSource, type BundleSource, type SourceEntry } from './source.js';
import { evidenceSchemaFile, logName, tagFiles, tagManifest } from './texts.js';

/** What was read of a bundle: nothing in it was believed. */
export interface ReadBundle {
  /** The name of its folder; null in an archive. */
  readonly name: string | null;
  /** Every regular file but the journal, logs and the timestamp token, by path relative to the bundle. Only those that are valid UTF-8. */
  readonly texts: ReadonlyMap<string, string>;
  /** What the journal holds: events that are whole by chain and schema. Undefined where they are not, which is a defect. */
  readonly events: readonly DrillEvent[] | undefined;
  /** The token, as it is. */
  readonly token: Buffer | null;
  /** Digest and size of every regular file. */
  readonly digests: ReadonlyMap<string, { readonly sha256: string; readonly bytes: number }>;
  readonly defects: Defect[];
}

const MiB = 1024 * 1024;
/** Strings are kept in memory; logs are only hashed, and of the journal its events are kept. */
const maxBytes = (path: string) => (path === journalFile ? 256 * MiB : path.startsWith('data/logs/') ? 4096 * MiB : path.startsWith('sig/') ? MiB : path.endsWith('.yaml') ? maxDocument : 32 * MiB);
/** Of all that is kept in memory. */
const maxKept = 256 * MiB;

const fixed = new Set<string>([...tagFiles, tagManifest, 'data/drill.json', 'data/environment.yaml', evidenceSchemaFile, journalFile, 'data/plan.json', 'data/report.html', 'data/runbook.yaml']);
const sealing = new Set([sealFile, statementsFile, timestampFile]);
/** `sig/approval-<who>.json` and its signature beside it; the group is the former. */
export const approvalPath = /^(sig\/approval-[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\.json)(?:\.sig)?$/;

/** Could the file stand in a bundle at all? */
function isKnownPath(path: string): boolean {
  if (fixed.has(path) || sealing.has(path)) return true;
  if (path.startsWith('data/evidence/')) return /^[a-z][a-z0-9-]*\.json$/.test(path.slice('data/evidence/'.length));
  if (path.startsWith('sig/')) return approvalPath.test(path);
  return path.startsWith('data/logs/') && logName.test(path.slice('data/logs/'.length));
}

/**
 * Reads a bundle, a folder or an archive of one, as if its maker were hostile: no link is followed, nothing but regular
 * files is opened, sizes are bounded. Rejects when `path` itself cannot be read.
 */
export async function readBundle(path: string): Promise<ReadBundle> {
  const source = (await openArchive(path)) ?? (await folderSource(path));
  return readSource(source);
}

async function readSource(source: BundleSource): Promise<ReadBundle> {
  const texts = new Map<string, string>();
  const digests = new Map<string, { sha256: string; bytes: number }>();
  const defects: Defect[] = [];
  const seen = new Set<string>();
  let token: Buffer | null = null;
  let events: readonly DrillEvent[] | undefined;
  let keptBytes = 0;
  for await (const entry of source.entries((defect) => defects.push(defect))) {
    const { path } = entry;
    seen.add(path);
    if (!isKnownPath(path)) {
      defects.push({ code: 'unexpected-file', file: path, detail: 'no file of this name belongs in a bundle' });
      continue;
    }
    try {
      const kept: Buffer[] = [];
      const journal = path === journalFile ? new JournalCheck() : undefined;
      const keeps = journal === undefined && !path.startsWith('data/logs/');
      const read = await readEntry(entry, maxBytes(path), (chunk) => {
        if (keeps && (keptBytes += chunk.length) <= maxKept) kept.push(Buffer.from(chunk));
        journal?.push(chunk);
      });
      if (read === undefined) {
        defects.push({ code: 'too-large', file: path, detail: `larger than ${maxBytes(path) / MiB} MiB` });
        continue;
      }
      digests.set(path, read);
      events = journal?.finish(defects) ?? events;
      if (!keeps) continue;
      if (keptBytes > maxKept) {
        defects.push({ code: 'too-large', file: path, detail: `all files but journal and logs are larger than ${maxKept / MiB} MiB together` });
        continue;
      }
      const content = Buffer.concat(kept);
      if (path === timestampFile) {
        token = content;
        continue;
      }
      const text = utf8(content);
      if (text === undefined) defects.push({ code: 'not-utf8', file: path, detail: 'the file is not valid UTF-8' });
      else texts.set(path, text);
    } catch (error) {
      defects.push(archiveDefect(error, path));
    }
  }
  for (const path of fixed) if (!seen.has(path)) defects.push({ code: 'missing-file', file: path, detail: 'every bundle has this file' });
  return { name: source.name, texts, events, token, digests: new Map([...digests].toSorted(([a], [b]) => (a < b ? -1 : 1))), defects };
}

/** `take` gets the content in turn. Undefined when the file has more than `max` bytes. */
async function readEntry(entry: SourceEntry, max: number, take: (chunk: Buffer) => void): Promise<{ sha256: string; bytes: number } | undefined> {
  if (entry.bytes > max) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of entry.chunks()) {
    bytes += chunk.length;
    if (bytes > max) return undefined;
    hash.update(chunk);
    take(chunk);
  }
  return { sha256: hash.digest('hex'), bytes };
}

function utf8(content: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}
