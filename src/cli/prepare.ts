import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment, Runbook } from '../engine/documents.js';
import { DocumentError, RefusedError } from '../engine/errors.js';
import { checkAgainst, loadEnvironment, loadRunbook, type Loaded } from '../engine/load.js';
import { packageRoot } from '../engine/package-root.js';
import { buildPlan } from '../engine/plan.js';
import { resolveInputs, type ResolvedInputs } from '../engine/plan/inputs.js';
import type { Plan } from '../engine/plan-document.js';
import type { Scope } from '../engine/scope.js';
import { LiveWorld } from '../engine/world.js';
import { gitFacts } from '../clients/git/facts.js';
import { bindPorts, sharedAdapters } from './compose.js';
import { parseSet } from './inputs.js';
import type { CommandIo } from './io.js';
import { registry } from './registry.generated.js';

export interface Prepared {
  readonly runbook: Loaded<Runbook>;
  readonly environment: Loaded<Environment>;
  readonly inputs: ResolvedInputs;
  readonly plan: Plan;
}

export interface DrillSources {
  readonly runbook: string;
  readonly environment: string;
  readonly set: readonly string[];
}

/** Loads both documents and plans the drill; touches nothing. Throws DocumentError with what is wrong in either. */
export async function prepareDrill(sources: DrillSources, io: CommandIo): Promise<Prepared> {
  const [runbook, environment] = await bothOf(loadRunbook(sources.runbook, io.cwd), loadEnvironment(sources.environment, io.cwd));
  checkAgainst(runbook, environment);
  const inputs = resolveInputs(runbook.document.inputs, parseSet(sources.set));
  const ports = bindPorts(sharedAdapters())(planScope, new LiveWorld());
  const plan = await buildPlan({ runbook, environment, cwd: io.cwd, inputs, tool: toolVersion(), registry, ports, signal: planScope.signal, git: gitFacts });
  return { runbook, environment, inputs, plan };
}

export function toolVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** A plan reaches nothing: whatever a definition asks for is refused. */
const planScope: Scope = {
  who: 'plan',
  phase: 'plan',
  runId: 'plan',
  signal: new AbortController().signal,
  access: (target) => Promise.reject(new RefusedError(`a plan reaches nothing (${target.kind})`)),
};

/** What is wrong with two documents is told at once. */
async function bothOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'fulfilled' && b.status === 'fulfilled') return [a.value, b.value];
  const reasons: unknown[] = [a, b].flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  const documents = reasons.filter((reason) => reason instanceof DocumentError);
  throw documents.length === reasons.length ? new DocumentError(documents.flatMap(({ diagnostics }) => diagnostics)) : reasons[0];
}
