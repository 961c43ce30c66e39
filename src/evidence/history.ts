import { open, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import type { EventDataOf } from '../engine/events.js';
import type { PlanObserved } from '../engine/plan-document.js';
import { mismatch, parseJson } from './parse.js';
import { tagManifest } from './texts.js';

const maxBundles = 20;
const maxBytes = 8 * 1024 * 1024;

/**
 * Medians over the newest passed runs (at most 20 are looked at) of a runbook in an environment, from the bundles in
 * `folder`; undefined when there are none. They are an expectation and no evidence: nothing is verified here.
 */
export async function expectedDurations(folder: string, runbook: string, environment: string): Promise<PlanObserved['expected']> {
  const newest = await newestOf(folder, runbook);
  const drills = (await Promise.all(newest.map((name) => drillOf(join(folder, name))))).filter((drill) => drill?.verdict === 'passed' && drill.runbook.name === runbook && drill.environment.name === environment);
  const steps = new Map<string, number[]>();
  const totals: number[] = [];
  const rtos: number[] = [];
  for (const drill of drills) {
    if (drill === undefined) continue;
    for (const { id, status, durationMs } of drill.steps) if (status === 'succeeded' && durationMs !== null) steps.set(id, [...(steps.get(id) ?? []), durationMs]);
    if (drill.startedAt !== null && drill.finishedAt !== null) totals.push(Date.parse(drill.finishedAt) - Date.parse(drill.startedAt));
    if (drill.rto.valueMs !== null) rtos.push(drill.rto.valueMs);
  }
  if (totals.length === 0) return undefined;
  return { runs: totals.length, totalMs: median(totals), rtoMs: rtos.length === 0 ? null : median(rtos), steps: Object.fromEntries([...steps].map(([id, all]) => [id, median(all)])) };
}

const maxEarlier = 8;

/** The latest drills of a runbook in an environment, oldest first, as their bundles say; nothing is verified here. */
export async function earlierDrills(folder: string, runbook: string, environment: string): Promise<NonNullable<EventDataOf<'run.started'>['earlier']>> {
  const found: NonNullable<EventDataOf<'run.started'>['earlier']> = [];
  for (const name of (await newestOf(folder, runbook)).toReversed()) {
    if (found.length === maxEarlier) break;
    const drill = await drillOf(join(folder, name));
    const tags = await readFile(join(folder, name, tagManifest)).catch(() => undefined);
    if (drill === undefined || drill.startedAt === null || tags === undefined || drill.run !== name || drill.environment.name !== environment) continue;
    found.unshift({ run: name, sha256: sha256(tags), at: drill.startedAt, verdict: drill.verdict, rtoMs: drill.rto.upperMs ?? drill.rto.valueMs, rpoMs: drill.rpo.valueMs, manualMs: drill.manual.waitingMs + drill.manual.workingMs });
  }
  return found;
}

async function newestOf(folder: string, runbook: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const own = new RegExp(`^\\d{8}T\\d{6}Z-${runbook}-[0-9a-f]{6}$`);
  return names.filter((name) => own.test(name)).toSorted().slice(-maxBundles);
}

const known = new Map<string, Promise<Drill | undefined>>();

/** Read once: a bundle does not change while a command runs. undefined for what is no drill.json. */
function drillOf(bundle: string): Promise<Drill | undefined> {
  const drill = known.get(bundle) ?? readDrill(join(bundle, 'data', 'drill.json'));
  known.set(bundle, drill);
  return drill;
}

async function readDrill(file: string): Promise<Drill | undefined> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size > maxBytes) return undefined;
      const drill = parseJson(await handle.readFile('utf8'));
      return mismatch('drill', drill) === undefined ? (drill as Drill) : undefined;
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const at = sorted[middle] ?? 0;
  return Math.round(sorted.length % 2 === 1 ? at : ((sorted[middle - 1] ?? at) + at) / 2);
}
