import type { Clock, ConnectionContext, PlanContext, Ports, PreflightCheck, PreflightStage, Selected, Selection } from './define-step.js';
import { atOnce } from './at-once.js';
import { formatDuration } from './duration.js';
import { GuardError, messageOf, RefusedError, StepError } from './errors.js';
import { awsRightsOn, kubernetesRightsOn, provisionedPermissions, rightsOn } from './plan/rights.js';
import { flattenSteps, type ObservedCheck, type PlanBinding, type PlanObserved, type PlanStep } from './plan-document.js';
import type { Registry } from './registry.js';
import { watcherType, watchPolicy } from './watch/policy.js';
import { LiveWorld, type World } from './world.js';

export interface PreflightRequest {
  readonly binding: PlanBinding;
  readonly registry: Registry;
  /** Of a scope that only reads. */
  readonly ports: Ports;
  readonly world: World;
  readonly runbookDir: string;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly stage: PreflightStage;
}

export interface PreflightResult {
  readonly checks: readonly ObservedCheck[];
  readonly selected: NonNullable<PlanObserved['selected']>;
}

/** Something whose checks are made together. */
type Subject = { readonly connection: string } | { readonly step: PlanStep } | { readonly watcher: string };

const needsIt = 'what it needs is there';

/** Every check that can be made now; none changes anything. What fails is a result, never an error. */
export function preflight(request: PreflightRequest): Promise<PreflightResult> {
  const { binding } = request;
  const steps = [...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup];
  return look([...Object.keys(binding.environment.connections).map((connection) => ({ connection })), ...steps.map((step) => ({ step })), ...watchersOf(binding).map((watcher) => ({ watcher }))], request);
}

/** The same again for those of which a check was deferred; results that stay as they were are left out. */
export async function repeatDeferred(earlier: readonly ObservedCheck[], request: PreflightRequest): Promise<readonly ObservedCheck[]> {
  const { binding } = request;
  const open = earlier.filter(({ result }) => result === 'deferred');
  const connections = Object.keys(binding.environment.connections).filter((name) => open.some(({ step, id }) => step === null && id.startsWith(prefixOf(name))));
  const steps = [...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup].filter((step) => open.some((check) => check.step === step.id));
  const watchers = watchersOf(binding).filter((name) => open.some(({ step, id }) => step === null && id.startsWith(watcherPrefix(name))));
  const { checks } = await look([...connections.map((connection) => ({ connection })), ...steps.map((step) => ({ step })), ...watchers.map((watcher) => ({ watcher }))], request);
  const came = open.filter(({ id, step }) => id === needsIt && steps.some((each) => each.id === step) && !checks.some((check) => check.id === id && check.step === step));
  const closed = came.map((check): ObservedCheck => ({ ...check, result: 'passed', detail: 'it is there now' }));
  const known = new Map(earlier.map((check) => [keyOf(check), check.result]));
  return [...closed, ...checks].filter((check) => known.get(keyOf(check)) !== check.result);
}

/** `newer` in place of what it says anew. */
export function merged(earlier: readonly ObservedCheck[], newer: readonly ObservedCheck[]): ObservedCheck[] {
  const all = new Map(earlier.map((check) => [keyOf(check), check]));
  for (const check of newer) all.set(keyOf(check), check);
  return [...all.values()];
}

/** Throws RefusedError, naming every check that failed; with `complete` also those that could not run. */
export function refuseFailed(checks: readonly ObservedCheck[], demand: 'known' | 'complete'): void {
  const found = checks.filter(({ result }) => result === 'failed' || (demand === 'complete' && result === 'could-not-run'));
  if (found.length === 0) return;
  const detail = ({ id, step, result, detail }: ObservedCheck) => `${result === 'failed' ? 'failed' : 'could not run'}: ${step === null ? '' : `step ${step}: `}${id}: ${detail}`;
  throw new RefusedError(`preflight: ${found.length} ${found.length === 1 ? 'check' : 'checks'} did not pass`, found.map(detail));
}

/** What is there without the run: connections that are only used, endpoints that exist. What cannot be found is a check that failed. */
export async function existingWorld({ environment }: Pick<PlanBinding, 'environment'>, registry: Registry, runbookDir: string): Promise<{ readonly world: LiveWorld; readonly checks: readonly ObservedCheck[] }> {
  const world = new LiveWorld();
  const checks: ObservedCheck[] = [];
  for (const [connection, { kind, role, provision, with: input }] of Object.entries(environment.connections)) {
    try {
      const details = await (await registry.provisioner(provision)).existing?.(input, { runbookDir });
      if (details !== undefined) world.apply({ type: 'connection.provisioned', data: { connection, kind, role, provision, details } });
    } catch (error) {
      checks.push({ id: `${prefixOf(connection)}there`, step: null, result: 'failed', detail: said(error) });
    }
  }
  for (const [endpoint, { provision, host, port, to }] of Object.entries(environment.endpoints)) {
    if (provision === 'existing' && host !== null && port !== null) world.apply({ type: 'endpoint.opened', data: { endpoint, host, port, to } });
  }
  return { world, checks };
}

/** A few at a time: each may open a session of its own. */
const lookingAtOnce = 4;

async function look(subjects: readonly Subject[], request: PreflightRequest): Promise<PreflightResult> {
  const found = await atOnce(subjects, lookingAtOnce, async (subject): Promise<PreflightResult> => {
    request.signal.throwIfAborted();
    if ('connection' in subject) return { checks: await connectionChecks(subject.connection, request), selected: [] };
    return 'watcher' in subject ? { checks: await watcherChecks(subject.watcher, request), selected: [] } : lookAtStep(subject.step, request);
  });
  return { checks: found.flatMap(({ checks }) => checks), selected: found.flatMap(({ selected }) => selected) };
}

async function lookAtStep(step: PlanStep, request: PreflightRequest): Promise<PreflightResult> {
  const selected: NonNullable<PlanObserved['selected']> = [];
  const checks = await stepChecks(step, request);
  checks.push(...(await selectionChecks(step, request, selected)));
  return { checks, selected };
}

async function connectionChecks(name: string, request: PreflightRequest): Promise<ObservedCheck[]> {
  const { binding, world, stage } = request;
  const connection = binding.environment.connections[name];
  if (connection === undefined) return [];
  const definition = await request.registry.provisioner(connection.provision);
  if (definition.preflight === undefined) return [];
  const filledBy = flattenSteps(binding.steps).find(({ step }) => step.effect === 'create' && step.phase !== 'prepare' && step.changes.some(({ system, object }) => system === `postgres:${name}` && object === '*'))?.step.id ?? null;
  const ctx: ConnectionContext = {
    ...contextOf(request),
    connection: name,
    role: connection.role,
    clock: request.clock,
    there: world.connections.has(name) && (filledBy === null || stage === 'verified'),
    filledBy,
    rights: rightsOn(binding, name),
    kubernetesRights: kubernetesRightsOn(binding, name, await provisionedPermissions(binding, request.registry)),
    awsRights: awsRightsOn(binding, name),
    makes: makesOf(name, request),
  };
  const check = ({ id, result, detail }: PreflightCheck): ObservedCheck => ({ id: `${prefixOf(name)}${id}`, step: null, result, detail });
  return tried(check, 'usable', request, async () => (await definition.preflight?.(connection.with, ctx)) ?? []);
}

async function watcherChecks(name: string, request: PreflightRequest): Promise<ObservedCheck[]> {
  const definition = await request.registry.watcher(watcherType(name));
  const input = watchPolicy(request.binding.environment).watchers[name]?.with ?? {};
  const check = ({ id, result, detail }: PreflightCheck): ObservedCheck => ({ id: `${watcherPrefix(name)}${id}`, step: null, result, detail });
  return tried(check, 'usable', request, async () => (await definition.preflight?.(input, contextOf(request))) ?? []);
}

async function stepChecks(step: PlanStep, request: PreflightRequest): Promise<ObservedCheck[]> {
  const definition = await request.registry.step(step.uses);
  const check = ({ id, result, detail }: PreflightCheck): ObservedCheck => ({ id, step: step.id, result, detail });
  return tried(check, needsIt, request, async () => (await definition.preflight?.(step.with, contextOf(request))) ?? []);
}

async function selectionChecks(step: PlanStep, request: PreflightRequest, selected: NonNullable<PlanObserved['selected']>): Promise<ObservedCheck[]> {
  const { selection } = step;
  if (selection === undefined) return [];
  const definition = await request.registry.step(step.uses);
  const id = `${selection.what} to use`;
  const check = ({ result, detail }: Pick<PreflightCheck, 'result' | 'detail'>): ObservedCheck => ({ id, step: step.id, result, detail });
  return tried(check, id, request, async () => {
    const found = await definition.selection?.find(step.with, contextOf(request)).catch((error: unknown) => {
      if (selection.pin && isNotThere(error)) return undefined;
      throw error;
    });
    // What is pinned must be there when the plan is made.
    if (selection.pin && found === undefined) return [{ id, result: 'failed', detail: `there is no ${selection.what} that could be pinned: ${selection.rule}` }];
    if (found !== undefined) selected.push({ step: step.id, name: found.name, at: found.at });
    const verdict = judged(selection, found, Date.parse(request.clock.now().at));
    const maker = request.stage === 'before' || request.stage === 'provisioned' ? makerOf(selection.from, request.binding) : undefined;
    return [verdict.result === 'failed' && maker !== undefined ? { id, result: 'deferred', detail: `step ${maker} makes one (now: ${verdict.detail})` } : { id, ...verdict }];
  });
}

function judged(selection: Selection & { readonly pinned: string | null }, found: Selected | undefined, now: number): Pick<PreflightCheck, 'result' | 'detail'> {
  const bound = selection.maxAgeMs === null ? '' : `, at most ${formatDuration(selection.maxAgeMs)} old`;
  if (found === undefined) return { result: 'failed', detail: `there is no ${selection.what} that the rule allows: ${selection.rule}` };
  const ageMs = Math.max(0, now - Date.parse(found.at));
  const what = `${found.name}, ${formatDuration(ageMs)} old; rule: ${selection.rule}${bound}`;
  if (selection.pinned !== null && selection.pinned !== found.name) return { result: 'failed', detail: `the plan pins ${selection.pinned}, the rule now picks ${what}` };
  return { result: selection.maxAgeMs === null || ageMs <= selection.maxAgeMs ? 'passed' : 'failed', detail: what };
}

async function tried(check: (found: PreflightCheck) => ObservedCheck, id: string, { signal }: PreflightRequest, work: () => Promise<readonly PreflightCheck[]>): Promise<ObservedCheck[]> {
  try {
    return (await work()).map(check);
  } catch (error) {
    signal.throwIfAborted();
    if (isNotThere(error)) return [check({ id, result: 'deferred', detail: 'the run makes what it needs' })];
    return [check({ id, result: error instanceof StepError || error instanceof GuardError ? 'failed' : 'could-not-run', detail: said(error) })];
  }
}

function isNotThere(error: unknown): boolean {
  return error instanceof StepError && (error.code === 'no-such-connection' || error.code === 'no-such-endpoint');
}

function contextOf({ ports, runbookDir, stateDir, signal, stage }: PreflightRequest): PlanContext {
  return { ports, runbookDir, stateDir, signal, stage };
}

/** Prepare steps that create, by the objects that they declare; none once they are done. */
function makesOf(connection: string, { binding, stage }: PreflightRequest): string[] {
  if (stage === 'prepared' || stage === 'verified') return [];
  const behind = (system: string) => {
    const endpoint = /^endpoint:(.*)$/.exec(system)?.[1];
    return endpoint === undefined ? system : `postgres:${binding.environment.endpoints[endpoint]?.to ?? ''}`;
  };
  return preparing(binding).flatMap(({ changes }) => changes.filter(({ system }) => behind(system) === `postgres:${connection}`).map(({ object }) => object));
}

function makerOf(system: string, binding: PlanBinding): string | undefined {
  return preparing(binding).find(({ changes }) => changes.some((change) => change.system === system))?.id;
}

function preparing(binding: PlanBinding): PlanStep[] {
  return flattenSteps(binding.steps).flatMap(({ step }) => (step.phase === 'prepare' && step.effect === 'create' ? [step] : []));
}

const watchersOf = ({ environment }: PlanBinding): string[] => Object.keys(watchPolicy(environment).watchers);
const watcherPrefix = (name: string): string => `watcher ${name}: `;
const prefixOf = (connection: string): string => `connection ${connection}: `;
const keyOf = ({ step, id }: ObservedCheck): string => JSON.stringify([step, id]);

function said(error: unknown): string {
  const more = error instanceof StepError && error.hint !== undefined ? ` (${error.hint})` : error instanceof GuardError ? error.details.map((detail) => ` ${detail}`).join('') : '';
  return `${messageOf(error)}${more}`;
}
