import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runbook } from '../engine/documents.js';
import type { Drill } from '../engine/drill.js';
import { messageOf } from '../engine/errors.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import { openJournal, parseJournal, type JournalOptions } from '../engine/journal.js';
import type { Plan } from '../engine/plan-document.js';
import { derive } from '../engine/verdict.js';
import { approvalFileName, type ApprovalFiles } from '../evidence/approval.js';
import { BundleError, type BundleWriter, type FinishedBundle } from '../evidence/bag.js';
import type { Sealer } from '../evidence/seal.js';
import type { EvidenceStore } from '../evidence/store/port.js';
import { depositBundle, type Stored } from './evidence-store.js';
import type { RunPaths } from './state.js';

export interface FinishRequest {
  readonly paths: RunPaths;
  readonly plan: Plan;
  readonly runbook: Runbook;
  readonly bundle: BundleWriter;
  readonly journal: JournalOptions;
  readonly sealer: Sealer | undefined;
  readonly store: EvidenceStore | undefined;
}

export interface Finished {
  readonly drill: Drill;
  /** The bundle's folder; null when it could not be written. */
  readonly bundle: string | null;
  readonly seal: FinishedBundle['seal'];
  /** The drill that did not pass and that this one repeats. */
  readonly closes: string | null;
  /** Null: there is no store, or no bundle. */
  readonly stored: Stored | null;
}

/**
 * Derives the verdict from the journal as it lies on disk, exactly as `verify` does, and writes the bundle. What
 * cannot be written becomes `evidence-write-failed`, so that no run passes without its evidence. Then the bundle is copied to the store.
 */
export async function finishRun(request: FinishRequest): Promise<Finished> {
  const { paths, plan, runbook, bundle, sealer, store } = request;
  const journalText = await readFile(paths.journal, 'utf8');
  const { events } = parseJournal(journalText);
  const closes = events.find((event) => event.type === 'run.started')?.data.closes?.run ?? null;
  const [runbookText, environmentText] = await Promise.all([readFile(paths.runbook, 'utf8'), readFile(paths.environment, 'utf8')]);
  try {
    const { drill, path, seal } = await bundle.finish({ runbookText, runbook, environmentText, plan, journalText, logsDir: paths.logs, approvals: await approvalsOf(paths), ...(sealer === undefined ? {} : { sealer }) });
    return { drill, bundle: path, seal, closes, stored: store === undefined ? null : await depositBundle(store, paths.id, path, paths.dir) };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const failed = await recordFailure(request, error, events);
    return { drill: derive(runbook, plan, [...events, failed]), bundle: null, seal: null, closes, stored: null };
  }
}

async function approvalsOf({ approvals }: RunPaths): Promise<ApprovalFiles[]> {
  const names = (await readdir(approvals).catch(() => [])).filter((name) => approvalFileName.test(name)).toSorted();
  return Promise.all(names.map(async (file) => ({ file, text: await readFile(join(approvals, file), 'utf8'), signature: await readFile(join(approvals, `${file}.sig`), 'utf8') })));
}

/** Into the journal if it takes it; the verdict counts it either way. */
async function recordFailure({ paths, journal }: FinishRequest, error: BundleError, events: readonly DrillEvent[]): Promise<EventOf<'evidence.write-failed'>> {
  const data = { file: error.file, message: messageOf(error.cause ?? error) };
  try {
    const again = await openJournal(paths.journal, journal);
    try {
      return await again.append('evidence.write-failed', data);
    } finally {
      await again.close();
    }
  } catch {
    const last = events.at(-1);
    return { seq: (last?.seq ?? 0) + 1, at: new Date().toISOString(), mono: process.hrtime.bigint().toString(), boot: last?.boot ?? '', prev: '', type: 'evidence.write-failed', data };
  }
}
