import { dirname } from 'node:path';
import { bootId, systemClock } from '../engine/clock.js';
import type { Environment, Runbook } from '../engine/documents.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import type { Guard } from '../engine/guard.js';
import { openJournal, type Journal, type JournalOptions } from '../engine/journal.js';
import { toolVersion } from '../engine/package-root.js';
import type { Plan } from '../engine/plan-document.js';
import type { Redactor } from '../engine/redact.js';
import type { ResolvedInputs } from '../engine/plan/inputs.js';
import { runDrill, type DrillHooks, type DrillRequest, type DrillResult, type Takeover } from '../engine/run.js';
import { environmentValues } from '../engine/template.js';
import { LiveWorld } from '../engine/world.js';
import { operatorPort } from '../clients/operator/adapter.js';
import type { Answers } from '../clients/operator/answers.js';
import { askToRenew } from '../clients/operator/credentials.js';
import { Turns } from '../clients/operator/turns.js';
import { BundleError, type BundleWriter } from '../evidence/bag.js';
import type { Sealer } from '../evidence/seal.js';
import type { EvidenceStore } from '../evidence/store/port.js';
import { visible } from '../report/visible.js';
import { createProgress } from '../report/terminal.js';
import { createScope } from '../engine/run/scope.js';
import { postgresPort } from '../clients/postgres/adapter.js';
import { ownedRelations } from '../clients/postgres/owned.js';
import { endThreads } from '../clients/trees/trees.js';
import { boundaryCheck } from './boundary.js';
import { listenForCancel, stopAtOnce } from './cancellation.js';
import { bindPorts, guardOf, guardToEnd, sharedAdapters, type SharedAdapters } from './compose.js';
import { storeFolders } from './evidence-store.js';
import { failedStepHook } from './failed-step.js';
import { finishRun, type Finished } from './finish.js';
import type { CommandIo } from './io.js';
import type { RunLocks } from './locks.js';
import { operator } from './note.js';
import { registry } from './registry.generated.js';
import { lookForMarked, type AskMarked } from './marked.js';
import type { Left } from './left.js';
import { Inventory } from './residue.js';
import { openSpool, type Spool } from './spool.js';
import type { RunPaths } from './state.js';

/** A run whose state stands on disk and whose locks are held. */
export interface Conducting {
  readonly plan: Plan;
  readonly runbook: Runbook;
  /** Where the operator has it; the folder is where its scripts are. */
  readonly runbookPath: string;
  readonly environment: Environment;
  readonly environmentPath: string;
  readonly inputs: ResolvedInputs;
  /** What must not show anywhere; adapters add what they find out. */
  readonly secrets: Redactor;
  readonly paths: RunPaths;
  /** The state directory. */
  readonly state: string;
  readonly evidenceDir: string;
  readonly bundle: BundleWriter;
  readonly sealer: Sealer | undefined;
  /** Where the bundle is copied to. */
  readonly store: EvidenceStore | undefined;
  readonly registered?: DrillRequest['registered'];
  /** The bundles that were the latest when the run began. */
  readonly previous?: DrillRequest['previous'];
  readonly closes?: DrillRequest['closes'];
  readonly about?: DrillRequest['about'];
  readonly locks: Pick<RunLocks, 'release'>;
  readonly keep: boolean;
  readonly json: boolean;
  /** Never prompt. */
  readonly yes: boolean;
  readonly answers: Answers;
  /** That the run relies on; they are journaled when it begins. */
  readonly approvals?: DrillRequest['approvals'];
  /** Repeats the checks that had to wait. */
  readonly preflight?: (guard: Guard, shared: SharedAdapters) => NonNullable<DrillHooks['preflight']>;
  readonly takeover?: Takeover;
  /** Does what is left to do when all cleanups are done, before anybody looks for what is left. */
  readonly sweep?: () => Promise<void>;
}

export interface Conducted {
  readonly result: DrillResult;
  /** null when the drill was refused: no bundle is due. */
  readonly finished: Finished | null;
  readonly left: readonly Left[];
  readonly kept: EventOf<'run.kept'>['data'] | null;
}

/** Runs a drill in this process, from its first line or from where its journal ends, and writes its bundle. */
export async function conduct(drill: Conducting, io: CommandIo): Promise<Conducted> {
  const { plan, paths, takeover, bundle } = drill;
  const { secrets: redactor } = drill;
  const world = new LiveWorld();
  const records = new Map<string, EventOf<'evidence.recorded'>[]>();
  const journalOptions: JournalOptions = { boot: bootId(), redactor };
  const cancellation = listenForCancel(() => stopAtOnce(paths.id));
  const progress = await createProgress({ plan, stream: process.stderr, env: io.env });
  // Bound once the guard is there.
  let askMarked: AskMarked = () => Promise.resolve([]);
  const inventory = new Inventory(plan, paths, world, () => askMarked());
  let journal: Journal | undefined;
  let spool: Spool | undefined;
  let kept: Conducted['kept'] = null;
  const take = (event: DrillEvent): void => {
    world.apply(event);
    inventory.apply(event);
    if (event.type === 'run.kept') kept = event.data;
    if (event.type === 'evidence.recorded') records.set(event.data.kind, [...(records.get(event.data.kind) ?? []), event]);
  };
  const onEvent = (event: DrillEvent): void => {
    take(event);
    progress.event(event);
    if (drill.json) io.stdout(`${JSON.stringify(event)}\n`);
    if (event.type === 'cleanup.started') bundle.ready();
    if (event.type === 'evidence.recorded') keepEvidence(event.data.kind, records, bundle, () => journal);
  };
  let result: DrillResult;
  try {
    journal = await openJournal(paths.journal, { ...journalOptions, onEvent });
    const { append, found } = bound(journal);
    for (const event of found) {
      take(event);
      progress.past(event);
    }
    const terminal = drill.yes || !process.stdin.isTTY || !process.stderr.isTTY ? undefined : { input: process.stdin, output: process.stderr, pause: () => progress.pause() };
    const turns = new Turns();
    const shared = sharedAdapters(operatorPort(terminal, drill.answers, turns), redactor);
    const runbookDir = dirname(drill.runbookPath);
    const guard = (takeover?.mode === 'end' ? guardToEnd : guardOf)({ plan, world, ownDirectories: [paths.work], protectedDirectories: [drill.state, drill.evidenceDir, ...storeFolders(drill.environment, drill.environmentPath)], runbookDir });
    spool = await openSpool(paths.spool, async (message) => {
      if (message.kind === 'note') await append('note.manual', { text: message.text, who: message.who, source: 'note' });
      else await append('operator.attached', { who: message.who, host: message.host });
    });
    const mailbox = spool;
    askMarked = () => lookForMarked({ plan, world, bindPorts: bindPorts(shared), guard, runId: paths.id });
    const boundary = boundaryCheck({ runId: paths.id, environment: plan.binding.environment, guard, postgres: shared.postgres });
    const hooks: DrillHooks = {
      ...(drill.preflight === undefined ? {} : { preflight: drill.preflight(guard, shared) }),
      async boundary(when, made, signal) {
        if (when === 'before') await inventory.noteOwned(() => ownedRelations(made, postgresPort(createScope({ who: 'inventory', phase: 'plan', runId: paths.id, signal: AbortSignal.timeout(30_000), guard }), made, shared.postgres)));
        return boundary(when, made, signal);
      },
      ...(terminal === undefined ? {} : { renewCredentials: async (what, signal) => ((await turns.take(() => askToRenew(terminal, visible(redactor.text(what)), signal))) ? operator() : null), failedStep: failedStepHook(terminal, turns, operator(), append) }),
      async ending() {
        await drill.sweep?.();
        await mailbox.close();
        await drill.locks.release();
      },
      residue: (_, keptCleanups) => inventory.residue(keptCleanups, drill.state),
    };
    result = await runDrill({
      runId: paths.id,
      plan,
      runbook: drill.runbook,
      runbookDir,
      files: { runbook: drill.runbookPath, environment: drill.environmentPath },
      inputs: drill.inputs.values,
      env: environmentValues(drill.environment.metadata),
      operator: operator(),
      ...(drill.approvals === undefined ? {} : { approvals: drill.approvals }),
      ...(drill.previous === undefined ? {} : { previous: drill.previous }),
      ...(drill.registered === undefined ? {} : { registered: drill.registered }),
      ...(drill.closes === undefined ? {} : { closes: drill.closes }),
      ...(drill.about === undefined ? {} : { about: drill.about }),
      toolVersion: toolVersion(),
      runDir: paths.dir,
      registry,
      bindPorts: bindPorts(shared),
      endpoints: shared.endpoints,
      guard,
      journal,
      ...(takeover === undefined ? {} : { takeover }),
      redactor,
      clock: systemClock(),
      signal: cancellation.signal,
      keep: drill.keep,
      hooks,
    });
  } finally {
    await spool?.close();
    await drill.locks.release();
    await journal?.close().catch(() => {});
    await progress.close();
    cancellation.release();
    endThreads();
  }
  const finished = result.refused === undefined ? await finishRun({ paths, plan, runbook: drill.runbook, bundle, journal: journalOptions, sealer: drill.sealer, store: drill.store }) : null;
  return { result, finished, left: inventory.left, kept };
}

function bound(journal: Journal): { readonly append: Journal['append']; readonly found: readonly DrillEvent[] } {
  return { append: (type, data, place) => journal.append(type, data, place), found: journal.found.events };
}

/** Evidence goes to its file at once, so that a full disk shows in the run and not after it. */
function keepEvidence(kind: string, records: ReadonlyMap<string, readonly EventOf<'evidence.recorded'>[]>, bundle: BundleWriter, journal: () => Journal | undefined): void {
  bundle.recordEvidence(kind, records.get(kind) ?? []).catch(async (error: unknown) => {
    if (!(error instanceof BundleError)) throw error;
    await journal()?.append('evidence.write-failed', { file: error.file, message: error.message }).catch(() => {});
  });
}
