import type { Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, rmdir, type FileHandle } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { atOnce } from '../engine/at-once.js';
import type { Runbook } from '../engine/documents.js';
import { canonicalJson } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import { messageOf } from '../engine/errors.js';
import type { EventOf } from '../engine/events.js';
import { parseJournal } from '../engine/journal.js';
import { makeFolder } from '../engine/make-folder.js';
import type { Plan } from '../engine/plan-document.js';
import { derive } from '../engine/verdict.js';
import type { ApprovalFiles } from './approval.js';
import { sealFiles, type SealedContent, type Sealer } from './seal.js';
import { fingerprint } from './ssh/keys.js';
import { digestOf, evidenceText, logName, manifestText, payloadTexts, tagFiles, tagManifest, tagTexts, type BundleContent, type FileDigest } from './texts.js';

/** The bundle cannot be written. `file` is what could not be. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
  constructor(readonly file: string, cause: unknown) {
    super(`cannot write the evidence to ${file}: ${messageOf(cause)}`, { cause });
  }
}

export interface FinishedRun {
  readonly runbookText: string;
  /** What `runbookText` says. */
  readonly runbook: Runbook;
  readonly environmentText: string;
  readonly plan: Plan;
  /** The whole journal, from `run.started` to `run.finished`. */
  readonly journalText: string;
  /** The steps' logs; null when there are none. */
  readonly logsDir: string | null;
  /** Those that the run relied on; they go into sig/. */
  readonly approvals?: readonly ApprovalFiles[];
  /** Seals the bundle before it gets its name. */
  readonly sealer?: Sealer;
}

export interface FinishedBundle {
  readonly path: string;
  /** As derived from the files of the bundle, just as verification will do it. */
  readonly drill: Drill;
  /** Null when nobody was to seal it. A bundle that could not be sealed is whole, and unsigned. */
  readonly seal: { readonly fingerprint: string } | { readonly error: unknown } | null;
}

export interface BundleWriter {
  /** Where the bundle will stand. */
  readonly path: string;
  /**
   * Writes data/evidence/<kind>.json, flushed, so that a full disk shows during the run. `records` are all that the
   * journal holds of this kind so far. Rejects with BundleError (`evidence.write-failed`); `finish` tries again.
   */
  recordEvidence(kind: string, records: readonly EventOf<'evidence.recorded'>[]): Promise<void>;
  /** Loads what `finish` will need, while the run waits for something else: a template engine has no business in it before its end. */
  ready(): void;
  /**
   * Writes everything, flushes it, and gives the bundle its final name. Rejects with BundleError and leaves nothing then;
   * with the errors of parseJournal when the run's own journal is damaged.
   */
  finish(run: FinishedRun): Promise<FinishedBundle>;
  /** For a run that was refused: removes what `openBundle` made. */
  abandon(): Promise<void>;
}

/**
 * Proves before the run that a bundle can be written: makes its hidden partial folder and flushes a file in it.
 * Says whether it had to make the evidence folder itself. Throws BundleError when the folder cannot be written, or when a
 * bundle of this run is there already.
 */
async function reserve(evidenceDir: string, runId: string): Promise<boolean> {
  const { path, partial } = places(evidenceDir, runId);
  if (await stats(path)) throw new BundleError(path, 'a bundle of this run is there already');
  return writing(partial, async () => {
    const made = await makeFolder(evidenceDir, 0o755);
    await makeFolder(partial, 0o755);
    const proof = join(partial, '.writable');
    await writeFlushed(proof, 'This folder becomes a bundle of evidence.\n');
    await rm(proof);
    return made;
  });
}

/** Opens the partial folder of a run, making it if need be: also for a process that resumes the run. */
export async function openBundle(evidenceDir: string, runId: string): Promise<BundleWriter> {
  const made = await reserve(evidenceDir, runId);
  const { path, partial } = places(evidenceDir, runId);
  let last: Promise<unknown> = Promise.resolve();
  return {
    path,
    recordEvidence(kind, records) {
      const file = join(partial, 'data', 'evidence', `${kind}.json`);
      const written = last.then(() =>
        writing(file, async () => {
          await mkdir(dirname(file), { recursive: true });
          await writeFlushed(file, evidenceText(kind, records));
        }),
      );
      last = written.catch(() => {});
      return written;
    },
    ready: () => void reportModule(),
    async finish(run) {
      await last;
      try {
        await writing(partial, () => rm(partial, { recursive: true, force: true }));
        const written = await writeBundle(partial, run);
        await writing(path, async () => {
          if (await stats(path)) throw new Error('a bundle of this run is there already');
          await rename(partial, path);
          await flushFolder(evidenceDir);
        });
        return { path, ...written };
      } catch (error) {
        await rm(partial, { recursive: true, force: true }).catch(() => {});
        throw error;
      }
    },
    async abandon() {
      await last;
      await rm(partial, { recursive: true, force: true });
      // Another run may have put its own bundle there since.
      if (made) await rmdir(evidenceDir).catch(() => {});
    },
  };
}

function places(evidenceDir: string, runId: string): { path: string; partial: string } {
  return { path: join(evidenceDir, runId), partial: join(evidenceDir, `.${runId}.partial`) };
}

async function writeBundle(root: string, run: FinishedRun): Promise<Omit<FinishedBundle, 'path'>> {
  const content = contentOf(run);
  const loading = reportModule();
  const files = new Files(root);
  try {
    const texts = [...payloadTexts(content)];
    files.putAll(texts);
    const logs = run.logsDir === null ? [] : await copyLogs(run.logsDir, files);
    const payload = [...texts.map(([path, text]) => digestOf(path, text)), ...logs];
    const { reportHtml } = await loading;
    const report = reportHtml({ ...content, files: reportFiles(payload) });
    files.put('data/report.html', report);
    const tags = tagTexts(content.events, content.drill, [...payload, digestOf('data/report.html', report)]);
    files.putAll(tags);
    const tagManifestText = manifestText(tagFiles.map((path) => digestOf(path, tags.get(path) ?? '')));
    files.put(tagManifest, tagManifestText);
    for (const { file, text, signature } of run.approvals ?? []) files.putAll([[`sig/${file}`, text], [`sig/${file}.sig`, signature]]);
    const seal = run.sealer === undefined ? null : await sealed(run.sealer, { ...content, tagManifestText });
    if (seal !== null && 'files' in seal) files.putAll(seal.files);
    await files.flushed();
    return { drill: content.drill, seal };
  } finally {
    await files.settled();
  }
}

/** Files of a bundle that are written and flushed side by side, so that a disk flushes them together. */
class Files {
  readonly #folders = new Map<string, Promise<unknown>>();
  readonly #writes: Promise<unknown>[] = [];

  constructor(readonly root: string) {}

  /** Begins to write; `flushed` tells how it went. */
  put(path: string, text: string | Buffer): void {
    const file = join(this.root, path);
    const written = writing(file, async () => {
      await this.folder(dirname(file));
      await writeFlushed(file, text);
    });
    written.catch(() => {});
    this.#writes.push(written);
  }

  putAll(files: Iterable<readonly [string, string | Buffer]>): void {
    for (const [path, text] of files) this.put(path, text);
  }

  folder(path: string): Promise<unknown> {
    const made = this.#folders.get(path) ?? mkdir(path, { recursive: true, mode: 0o755 });
    this.#folders.set(path, made);
    return made;
  }

  /** Files first, then the folders, so that names survive a crash of the machine. Throws the first BundleError once nothing is written any more. */
  async flushed(): Promise<void> {
    await allDone(this.#writes);
    await allDone([this.root, ...this.#folders.keys()].map((folder) => writing(folder, () => flushFolder(folder))));
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }
}

/** A failure is told to whoever awaits it; until then it does not end the process. */
function reportModule() {
  const loading = import('../report/html.js');
  loading.catch(() => {});
  return loading;
}

/** Whoever signs may be gone by now; the evidence is not lost for that. */
async function sealed({ signer, timestamper }: Sealer, content: SealedContent): Promise<{ fingerprint: string; files: Map<string, string | Buffer> } | { error: unknown }> {
  try {
    return { fingerprint: fingerprint(signer.publicKey), files: await sealFiles(content, signer, timestamper) };
  } catch (error) {
    return { error };
  }
}

/** What will be read back: canonical JSON sorts the plan's keys, and what is derived may not depend on their order before. */
function contentOf({ runbookText, runbook, environmentText, plan, journalText }: FinishedRun): BundleContent & { readonly runbook: Runbook } {
  const sorted = JSON.parse(canonicalJson(plan)) as Plan;
  const { events } = parseJournal(journalText);
  return { runbookText, environmentText, plan: sorted, journalText, events, runbook, drill: derive(runbook, sorted, events) };
}

/** The payload as the report, which stands in data/, links to it. */
export function reportFiles(payload: readonly FileDigest[]): { path: string; sha256: string }[] {
  return payload
    .filter(({ path }) => path !== 'data/report.html')
    .map(({ path, sha256 }) => ({ path: path.slice('data/'.length), sha256 }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Logs that are copied at the same time, so that a disk flushes them together. */
const logsAtOnce = 16;

async function copyLogs(from: string, files: Files): Promise<FileDigest[]> {
  const names = await readdir(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const taken = new Set<string>();
  const logs: { readonly source: string; readonly target: string }[] = [];
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
    const source = join(from, name);
    if ((await lstat(source)).isFile()) logs.push({ source, target: freeName(name, taken) });
  }
  if (logs.length === 0) return [];
  const to = join(files.root, 'data', 'logs');
  await writing(to, () => files.folder(to));
  return atOnce(logs, logsAtOnce, async ({ source, target }) => {
    const file = join(to, target);
    return { path: `data/logs/${target}`, ...(await writing(file, () => copyFlushed(source, file))) };
  });
}

function freeName(name: string, taken: Set<string>): string {
  const stem = name.replace(/\.log$/, '').replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^[^A-Za-z0-9]+/, '').slice(0, 150) || 'log';
  let free = `${stem}.log`;
  for (let n = 2; taken.has(free.toLowerCase()) || !logName.test(free); n += 1) free = `${stem}-${n}.log`;
  taken.add(free.toLowerCase());
  return free;
}

const chunkBytes = 64 * 1024;

function copyFlushed(from: string, to: string): Promise<{ sha256: string; bytes: number }> {
  return inFile(from, 'r', (source) =>
    inFile(to, 'w', async (target) => {
      const hash = createHash('sha256');
      const chunk = Buffer.allocUnsafe(chunkBytes);
      let bytes = 0;
      for (;;) {
        const { bytesRead } = await source.read(chunk, 0, chunkBytes);
        if (bytesRead === 0) break;
        const read = chunk.subarray(0, bytesRead);
        hash.update(read);
        await target.writeFile(read);
        bytes += bytesRead;
      }
      await target.sync();
      return { sha256: hash.digest('hex'), bytes };
    }),
  );
}

function writeFlushed(file: string, text: string | Buffer): Promise<void> {
  return inFile(file, 'w', async (handle) => {
    await handle.writeFile(text);
    await handle.sync();
  });
}

function flushFolder(folder: string): Promise<void> {
  return inFile(folder, 'r', (handle) => handle.sync());
}

async function inFile<T>(path: string, flags: 'r' | 'w', work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, flags, 0o644);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/** Throws the first error when all have ended: nothing is written after it. */
async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  for (const end of await Promise.allSettled(work)) if (end.status === 'rejected') throw end.reason;
}

async function writing<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof BundleError ? error : new BundleError(file, error);
  }
}

async function stats(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined);
}
