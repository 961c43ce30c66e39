import type { Stats } from 'node:fs';
import { lstat, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Runbook } from '../engine/documents.js';
import { canonicalJson } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import type { EventOf } from '../engine/events.js';
import { parseJournal } from '../engine/journal.js';
import { makeFolder } from '../engine/make-folder.js';
import type { Plan } from '../engine/plan-document.js';
import { derive } from '../engine/verdict.js';
import type { ApprovalFiles } from './approval.js';
import { BundleError, BundleFiles, copyLogs, flushFolder, writeFlushed, writing } from './bundle-files.js';
import { sealFiles, type SealedContent, type Sealer } from './seal.js';
import { fingerprint } from './ssh/keys.js';
import { digestOf, evidenceText, manifestText, payloadTexts, tagFiles, tagManifest, tagTexts, type BundleContent, type FileDigest } from './texts.js';

export { BundleError } from './bundle-files.js';

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
  const files = new BundleFiles(root);
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

async function stats(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined);
}
