import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { sha256 } from '../canonical.js';
import type { Effect, PlanContext, ProbeDefinition, StepDefinition } from '../define-step.js';
import type { RunbookStep } from '../documents.js';
import { parseDuration } from '../duration.js';
import { DocumentError, messageOf, type SourcePosition } from '../errors.js';
import type { PlanProbe, PlanStep } from '../plan-document.js';
import type { Registry } from '../registry.js';

/** What planning a step needs besides the step. */
export interface StepPlanner {
  readonly registry: Registry;
  readonly context: PlanContext;
  /** Renders what is known and checks it against the type's schema; throws DocumentError. */
  readonly render: (type: string, value: Record<string, unknown>, pointer: Pointer) => Record<string, unknown>;
  readonly position: (pointer: Pointer) => SourcePosition;
}

export type Pointer = readonly (string | number)[];

export const defaults = { timeoutMs: 600_000, attempts: 1, retryDelayMs: 1_000 } as const;

/** `cleanup` steps have no phase of their own. */
export async function planStep(source: Omit<RunbookStep, 'phase'> & Partial<Pick<RunbookStep, 'phase'>>, pointer: Pointer, planner: StepPlanner): Promise<PlanStep> {
  const definition = await planner.registry.step(source.uses);
  const input = planner.render(source.uses, source.with ?? {}, [...pointer, 'with']);
  const planned = await definition.plan(input, planner.context);
  const selection = definition.selection?.rule(input);
  return {
    kind: 'step',
    id: source.id,
    title: source.title ?? null,
    phase: source.phase ?? 'cleanup',
    uses: source.uses,
    with: input,
    effect: effectOf(definition, input),
    does: planned.does,
    calls: [...planned.calls],
    undo: [...(planned.undo ?? [])],
    changes: [...definition.changes(input)],
    permissions: definition.permissions(input).map((permission) => ({ ...permission })),
    files: await hashFiles(planned.files ?? [], pointer, planner),
    timeoutMs: milliseconds(source.timeout) ?? defaults.timeoutMs,
    totalTimeoutMs: milliseconds(source.totalTimeout) ?? null,
    attempts: source.retry?.attempts ?? defaults.attempts,
    retryDelayMs: milliseconds(source.retry?.delay) ?? defaults.retryDelayMs,
    gate: source.gate ?? false,
    ...(selection === undefined ? {} : { selection: { ...selection, pinned: null } }),
  };
}

export async function planProbe(id: string, source: { readonly uses: string; readonly with?: Record<string, unknown> }, pointer: Pointer, planner: StepPlanner): Promise<PlanProbe> {
  const definition = await planner.registry.probe(source.uses);
  const input = planner.render(source.uses, source.with ?? {}, [...pointer, 'with']);
  const planned = await definition.plan(input, planner.context);
  return {
    id,
    uses: source.uses,
    with: input,
    samples: definition.samples,
    everyMs: interval(definition, input),
    does: planned.does,
    changes: [...definition.changes(input)],
    permissions: definition.permissions(input).map((permission) => ({ ...permission })),
  };
}

function effectOf(definition: StepDefinition, input: Record<string, unknown>): Effect {
  return typeof definition.effect === 'function' ? definition.effect(input) : definition.effect;
}

/** A probe's interval is its input `every`, or that input's default; 0 for a probe that has none. */
function interval(definition: ProbeDefinition, input: Record<string, unknown>): number {
  const properties = 'properties' in definition.input ? (definition.input.properties as Record<string, { default?: unknown }>) : {};
  const every = input['every'] ?? properties['every']?.default;
  return typeof every === 'string' ? parseDuration(every) : 0;
}

async function hashFiles(files: readonly string[], pointer: Pointer, planner: StepPlanner): Promise<PlanStep['files']> {
  return Promise.all(
    files.map(async (path) => {
      try {
        return { path, sha256: sha256(await readFile(resolve(planner.context.runbookDir, path))) };
      } catch (error) {
        throw new DocumentError([{ position: planner.position([...pointer, 'with']), message: `cannot read the file ${path}, whose content is part of the plan: ${messageOf(error)}` }]);
      }
    }),
  );
}

function milliseconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration);
}
