import { dirname, resolve } from 'node:path';
import { systemClock } from '../engine/clock.js';
import { RefusedError } from '../engine/errors.js';
import { planDigest } from '../engine/plan.js';
import { flattenSteps, type ObservedCheck, type Plan, type PlanBinding } from '../engine/plan-document.js';
import { existingWorld, merged, preflight, repeatDeferred, type PreflightResult } from '../engine/preflight.js';
import type { Redactor } from '../engine/redact.js';
import type { DrillHooks } from '../engine/run.js';
import { createScope, type AccessCheck } from '../engine/run/scope.js';
import { expectedDurations } from '../evidence/history.js';
import { bindPorts, guardOf, sharedAdapters, type SharedAdapters } from './compose.js';
import { storeChecks } from './evidence-store.js';
import type { CommandIo } from './io.js';
import type { Prepared } from './prepare.js';
import { registry } from './registry.generated.js';
import { stateDir } from './state.js';

export interface ObserveOptions {
  /** Where earlier bundles are. */
  readonly evidenceDir: string;
}

/** Looks at what is there, by reading alone: preflight, what the rules would pick, what earlier runs took. A step that pins has its pick put into the plan. */
export async function observe(prepared: Prepared, options: ObserveOptions, io: CommandIo): Promise<Plan> {
  const { binding } = prepared.plan;
  const [{ checks, selected }, stored, expected] = await Promise.all([
    look(prepared.plan, runbookDirOf(prepared, io), prepared.secrets, io),
    storeChecks(prepared.environment.document, resolve(io.cwd, prepared.environment.path), io),
    expectedDurations(resolve(io.cwd, options.evidenceDir), binding.runbook.name, binding.environment.name),
  ]);
  const pinned = pinSelections(binding, selected);
  return {
    ...prepared.plan,
    binding: pinned,
    digest: planDigest(pinned),
    observed: { at: new Date().toISOString(), checks: [...checks, ...stored], ...(selected.length === 0 ? {} : { selected: [...selected] }), ...(expected === undefined ? {} : { expected }) },
  };
}

/** Every preflight check that can be made before anything is. */
export async function look(plan: Plan, runbookDir: string, secrets: Redactor, io: CommandIo): Promise<PreflightResult> {
  const { world, checks } = await existingWorld(plan.binding, registry, runbookDir);
  const state = stateDir(io.env, io.cwd);
  const guard = guardOf({ plan, world, ownDirectories: [state], protectedDirectories: [], runbookDir });
  const signal = new AbortController().signal;
  const ports = bindPorts(sharedAdapters(undefined, secrets))(readingScope('preflight', guard, signal), world);
  const found = await preflight({ binding: plan.binding, registry, ports, world, runbookDir, stateDir: state, clock: systemClock(), signal, stage: 'before' });
  return { checks: secrets.value([...checks, ...found.checks]), selected: found.selected };
}

/** Repeats what was deferred as the run goes on. */
export function preflightHook(prepared: Prepared, runId: string, guard: AccessCheck, shared: SharedAdapters, io: CommandIo): NonNullable<DrillHooks['preflight']> {
  let known: readonly ObservedCheck[] = prepared.plan.observed.checks;
  return async (stage, world, signal) => {
    const ports = bindPorts(shared)(readingScope('preflight', guard, signal, runId), world);
    const found = await repeatDeferred(known, { binding: prepared.plan.binding, registry, ports, world, runbookDir: runbookDirOf(prepared, io), stateDir: stateDir(io.env, io.cwd), clock: systemClock(), stage, signal });
    known = merged(known, found);
    return found;
  };
}

function runbookDirOf({ runbook }: Prepared, io: CommandIo): string {
  return dirname(resolve(io.cwd, runbook.path));
}

/** Whatever a check would alter is refused before the guard is even asked. */
export function readingScope(who: string, guard: AccessCheck, signal: AbortSignal, runId = 'preflight') {
  const reading: AccessCheck = {
    check(target, effect) {
      if (effect !== 'read') throw new RefusedError(`preflight alters nothing (${target.kind})`);
      guard.check(target, effect);
    },
  };
  return createScope({ who, phase: 'plan', runId, signal, guard: reading });
}

function pinSelections(binding: PlanBinding, selected: readonly { readonly step: string; readonly name: string }[]): PlanBinding {
  const names = new Map(selected.map(({ step, name }) => [step, name]));
  const copy = structuredClone(binding);
  for (const { step } of flattenSteps(copy.steps)) if (step.selection?.pin === true && step.selection.pinned === null) step.selection.pinned = names.get(step.id) ?? null;
  return copy;
}
