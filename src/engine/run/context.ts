import { isAbsolute, join, relative } from 'node:path';
import type { StepContext } from '../define-step.js';
import { StepError } from '../errors.js';
import { eventData } from '../events.js';
import type { PlacedStep } from '../plan-document.js';
import type { Scope, Target } from '../scope.js';
import type { Hold } from '../retry.js';
import { provisionOne } from './provision.js';
import { renewal } from './renew.js';
import { evidenceRecorder, workDir, type Runtime } from './runtime.js';
import { createScope, nameOf } from './scope.js';

/** The context of one attempt of one step. */
export function stepContext(runtime: Runtime, { step, branch }: PlacedStep, attempt: number, signal: AbortSignal, hold: Hold): StepContext {
  const { request, check, probes, fault } = runtime;
  const place = { step: step.id, attempt, ...(branch === null ? {} : { parent: branch }) };
  const probe = (id: string) => {
    if (!request.plan.binding.probes.some((known) => known.id === id)) throw new StepError('no-such-probe', `this runbook has no probe ${JSON.stringify(id)}`);
    return id;
  };
  return {
    runId: request.runId,
    runbookDir: request.runbookDir,
    stepId: step.id,
    phase: step.phase,
    ...(step.selection === undefined || step.selection.pinned === null ? {} : { pinned: step.selection.pinned }),
    signal,
    clock: request.clock,
    ports: request.bindPorts(stepScope(runtime, { step, branch }, attempt, signal, renewal({ ask: request.hooks?.renewCredentials, hold, signal, journal: request.journal, place, clock: request.clock })), runtime.world),
    get workDir() {
      return workDir(request, step.id);
    },
    log: (line) => runtime.logs.append(step.id, line),
    evidence: evidenceRecorder(request, check, place),
    defer: (call) => runtime.cleanups.defer(call, place),
    fault: (detail, at) => fault.declare(step.id, attempt, detail, at),
    probe: (id) => ({ healthy: probes.board.state(probe(id)).healthy }),
    provision: (connection) => provisionOne(runtime, connection, signal),
    nextSample: (id) => probes.board.next(probe(id), signal),
    human: async (kind, data) => {
      const type = `human.${kind}` as const;
      if (!check(eventData[type], data)) throw new StepError('invalid-human-record', `not data of ${type}: ${check.problems(eventData[type], data).join('; ')}`);
      await request.journal.append(type, data, place);
    },
    unit: async (kind, data) => {
      const type = `unit.${kind}` as const;
      if (!check(eventData[type], data)) throw new StepError('invalid-unit-record', `not data of ${type}: ${check.problems(eventData[type], data).join('; ')}`);
      await request.journal.append(type, data, place);
    },
  };
}

function stepScope({ request, fault }: Runtime, { step }: PlacedStep, attempt: number, signal: AbortSignal, renewing: Pick<Scope, 'renew'>): Scope {
  const isScratch = (target: Target): boolean => isOwnFile(target, join(request.runDir, 'work'));
  const parts = { who: step.id, phase: step.phase, runId: request.runId, signal, guard: request.guard, declared: step.effect, isScratch, ...renewing };
  if (step.phase !== 'inject') return createScope(parts);
  return createScope({
    ...parts,
    beforeChange: async (target) => {
      if (!isScratch(target)) await fault.beforeChange(step.id, attempt, `step ${step.id}: ${nameOf(target)}`);
    },
  });
}

/** Scratch files of the run break nothing. */
function isOwnFile(target: Target, folder: string): boolean {
  if (target.kind !== 'path') return false;
  const path = relative(folder, target.path);
  return path !== '' && !path.startsWith('..') && !isAbsolute(path);
}
