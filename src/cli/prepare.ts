import type { Environment, Runbook } from '../engine/documents.js';
import { DocumentError, RefusedError } from '../engine/errors.js';
import { checkAgainst, loadEnvironment, loadRunbook, type Loaded } from '../engine/load.js';
import { toolVersion } from '../engine/package-root.js';
import { buildPlan } from '../engine/plan.js';
import { Redactor } from '../engine/redact.js';
import { resolveInputs, type ResolvedInputs } from '../engine/plan/inputs.js';
import type { PlanRequest } from '../engine/plan/request.js';
import type { Plan } from '../engine/plan-document.js';
import type { Scope } from '../engine/scope.js';
import { LiveWorld } from '../engine/world.js';
import { gitFacts } from '../clients/git/facts.js';
import { bindPorts, sharedAdapters } from './compose.js';
import { parseSet } from './inputs.js';
import type { CommandIo } from './io.js';
import { addKnownSecrets } from './known-secrets.js';
import { registry } from './registry.generated.js';

/** What was planned, and its plan. */
export interface Prepared extends Pick<PlanRequest, 'runbook' | 'environment' | 'inputs'> {
  readonly plan: Plan;
  /** What must not show anywhere; adapters add what they find out. */
  readonly secrets: Redactor;
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
  const inputs = resolveInputs(runbook.document.inputs, { ...sensitiveInputs(runbook.document.inputs, io), ...parseSet(sources.set) });
  const secrets = secretsOf(inputs, environment.document, io);
  refuseSecretsIn([runbook, environment], secrets);
  const ports = bindPorts(sharedAdapters(undefined, secrets))(planScope, new LiveWorld());
  const plan = await buildPlan({ runbook, environment, cwd: io.cwd, inputs, tool: toolVersion(), registry, ports, signal: planScope.signal, git: gitFacts });
  return { runbook, environment, inputs, plan, secrets };
}

/** MUSTER_INPUT_<name>: arguments show in the list of processes, the environment does not. For x-sensitive inputs only. */
export function sensitiveInputs(specs: Runbook['inputs'], { env }: CommandIo): Record<string, string> {
  const given = Object.entries(specs ?? {}).flatMap(([name, spec]) => {
    const value = env[`MUSTER_INPUT_${name}`];
    return spec['x-sensitive'] === true && value !== undefined ? [[name, value] as const] : [];
  });
  return Object.fromEntries(given);
}

/** Values that must not show anywhere: sensitive inputs, PostgreSQL's password of this environment, and the addresses of webhooks. */
export function secretsOf(inputs: ResolvedInputs, environment: Environment, io: CommandIo): Redactor {
  const redactor = new Redactor();
  for (const name of inputs.sensitive) redactor.add(String(inputs.values[name] ?? ''));
  addKnownSecrets(redactor, io.env);
  for (const { urlFrom } of environment.sinks ?? []) if (urlFrom !== undefined) redactor.add(io.env[urlFrom] ?? '');
  return redactor;
}

/** The documents go into the bundle as they are: a secret in them could not be hidden. Throws RefusedError. */
function refuseSecretsIn(documents: readonly Loaded<unknown>[], secrets: Redactor): void {
  const telling = documents.filter(({ text }) => secrets.holdsSecret(text) || secrets.holdsSecret(text.split('\n')));
  if (telling.length > 0) throw new RefusedError(`a secret stands in ${telling.map(({ path }) => path).join(' and ')}`, ['The value of a sensitive input, or of a credential such as PGPASSWORD, is written there; the document would show it in every bundle.']);
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
