import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SchemaCheck } from '../check.js';
import { CleanupStack } from '../cleanup.js';
import type { StepContext } from '../define-step.js';
import type { WatchedDocument } from '../define-watcher.js';
import { StepError } from '../errors.js';
import type { DrillEvent } from '../events.js';
import type { Journal } from '../journal.js';
import { evidenceKinds } from '../kinds/index.js';
import { Probes } from '../probes.js';
import type { Scope } from '../scope.js';
import { Attribution } from '../watch/attribution.js';
import { watchPolicy } from '../watch/policy.js';
import { Watchers } from '../watchers.js';
import { LiveWorld } from '../world.js';
import { StepLogs } from './logs.js';
import type { DrillRequest, Limits } from './request.js';
import { createScope, FaultStamp } from './scope.js';

/** What the parts of one running drill share. */
export interface Runtime {
  readonly request: DrillRequest;
  readonly check: SchemaCheck;
  readonly world: LiveWorld;
  readonly fault: FaultStamp;
  readonly cleanups: CleanupStack;
  readonly logs: StepLogs;
  readonly probes: Probes;
  readonly watchers: Watchers;
  readonly limits: Omit<Limits, 'baselineMs' | 'stableMs'>;
  /** What templates are rendered from; steps' outputs come in as they end. */
  readonly known: { readonly inputs: object; readonly env: object; readonly run: object; readonly steps: Record<string, unknown> };
}

const defaultLimits = { provisionMs: 600_000, probeMs: 120_000, watchMs: 120_000, cleanupMs: 120_000, graceMs: 10_000 } as const satisfies Partial<Limits>;

export function createRuntime(asked: DrillRequest, check: SchemaCheck): Runtime {
  const { binding } = asked.plan;
  const attribution = new Attribution(binding, watchPolicy(binding.environment));
  const request: DrillRequest = { ...asked, journal: told(asked.journal, (event) => {
    attribution.take(event);
    if (event.type === 'fault.sent' || event.type === 'endpoint.switched') probes.board.beginAnew();
    if (event.type === 'step.finished' && attribution.declares(event.step ?? '')) watchers.stepEnded();
  }) };
  const { journal, clock, runId, runDir } = request;
  const limits = { ...defaultLimits, ...request.limits };
  const logs = new StepLogs(join(runDir, 'logs'), request.redactor);
  const world = new LiveWorld((data, step) => journal.append('endpoint.switched', data, step === undefined ? {} : { step }));
  const { events } = journal.found;
  for (const event of events) {
    world.apply(event);
    attribution.take(event);
  }
  const earlier = request.takeover?.state;
  const cleanups = new CleanupStack(journal, events);
  const probes = new Probes({
    runId,
    workDir: (probe) => workDir(request, `probe-${probe}`),
    earlier: (probe) => (earlier === undefined ? null : (earlier.probes.get(probe) ?? { lastRow: 0 })),
    journal,
    clock,
    timeoutMs: limits.probeMs,
    graceMs: limits.graceMs,
    log: (probe, line) => logs.append(probe, line),
    evidence: (probe) => evidenceRecorder(request, check, { step: `probe:${probe}` }),
    defer: (probe) => (call) => cleanups.defer(call, { step: `probe:${probe}` }),
    ports: (probe, signal) => request.bindPorts(plainScope(request, `probe:${probe}`, 'probe', signal), world),
  });
  const watchers = new Watchers({
    runId,
    clock,
    attribution,
    world,
    documents: documentsOf(request),
    runbookDir: request.runbookDir,
    boundary: request.plan.binding.environment.boundary,
    timeoutMs: limits.watchMs,
    graceMs: limits.graceMs,
    log: (watcher, line) => logs.append(`watch:${watcher}`, line),
    append: (type, data) => journal.append(type, data),
    ports: (watcher, signal) => request.bindPorts(plainScope(request, `watch:${watcher}`, 'probe', signal), world),
  });
  return {
    request,
    check,
    world,
    limits,
    logs,
    probes,
    watchers,
    fault: new FaultStamp(request.plan.binding.fault, journal, clock, () => request.hooks?.faultSent?.(), earlier?.fault),
    cleanups,
    known: { inputs: request.inputs, env: request.env, run: { id: runId }, steps: Object.fromEntries(earlier?.outputs ?? []) },
  };
}

/** A journal that also tells `take` every event that is on disk or soon will be, except samples. */
function told(journal: Journal, take: (event: DrillEvent) => void): Journal {
  return {
    async append(type, data, place) {
      const event = await journal.append(type, data, place);
      take(event as DrillEvent);
      return event;
    },
    note(type, data, place) {
      const event = journal.note(type, data, place);
      take(event as DrillEvent);
      return event;
    },
    sample: (event) => journal.sample(event),
    close: () => journal.close(),
    get broken() {
      return journal.broken;
    },
    get found() {
      return journal.found;
    },
  };
}

function documentsOf({ files, plan: { binding } }: DrillRequest): WatchedDocument[] {
  if (files === undefined) return [];
  return [
    { what: 'runbook', path: files.runbook, sha256: binding.runbook.sha256 },
    { what: 'environment', path: files.environment, sha256: binding.environment.sha256 },
  ];
}

/** The scope of whoever cannot cause the fault. */
export function plainScope({ runId, guard }: DrillRequest, who: string, phase: Scope['phase'], signal: AbortSignal): Scope {
  return createScope({ who, phase, runId, signal, guard });
}

/** Journals evidence that holds to its kind's schema; StepError `invalid-evidence` when it does not. */
export function evidenceRecorder({ journal }: DrillRequest, check: SchemaCheck, place: { step: string; attempt?: number; parent?: string }): StepContext['evidence'] {
  return async (kind, data) => {
    if (!check(evidenceKinds[kind], data)) throw new StepError('invalid-evidence', `not evidence of kind ${kind}: ${check.problems(evidenceKinds[kind], data).join('; ')}`);
    journal.note('evidence.recorded', { kind, data }, place);
  };
}

/** runs/<id>/work/<name>; made when it is asked for, so that steps without files leave none. */
export function workDir({ runDir }: DrillRequest, name: string): string {
  const path = join(runDir, 'work', name);
  mkdirSync(path, { recursive: true });
  return path;
}
