import { formatDuration } from '../engine/duration.js';
import { flattenSteps, type Plan, type PlanStep } from '../engine/plan-document.js';

/** What the plan's formats say alike, in words and without markup. */

export type Fact = readonly [name: string, text: string];

export function headFacts(plan: Plan): Fact[] {
  const { binding, observed } = plan;
  const { runbook, environment } = binding;
  const inputs = Object.entries(binding.inputs).map(([name, value]) => `${name} = ${inWords(value)}`);
  const manual = allSteps(plan).filter(({ uses }) => uses === 'manual').map(({ id }) => id);
  const { expected } = observed;
  return [
    ['runbook', `${runbook.name} ${runbook.version}${gitNote(runbook.git)}, owner ${runbook.owner}`],
    ['environment', `${environment.name}${environment.sandbox ? ', a sandbox' : ''}${environment.runbooks === 'any' ? '; uncommitted runbooks are allowed' : ''}`],
    ['objectives', objectives(plan)],
    ['fault', { injected: 'injected: a step breaks something', declared: 'declared: nothing is broken, a copy is restored beside it', planned: 'planned: a switchover' }[binding.fault]],
    ...(inputs.length === 0 ? [] : [['inputs', inputs.join(', ')] as const]),
    ...(expected === undefined ? [] : [['expected', `${formatDuration(expected.totalMs)} in all${expected.rtoMs === null ? '' : `, RTO ${formatDuration(expected.rtoMs)}`} (median of ${expected.runs} earlier passed ${expected.runs === 1 ? 'run' : 'runs'} here)`] as const]),
    ['probes', binding.probes.map(({ id }) => id).join(', ') || 'none: nothing is measured'],
    ['watchers', watchers(environment.watch)],
    ['evidence', `${binding.requiredEvidence.join(', ') || 'none'} must be in the bundle`],
    ['approvals', approvals(environment.approvals)],
    ['manual steps', manual.length === 0 ? 'none' : `${manual.length}: ${manual.join(', ')}`],
  ];
}

/** What a drill may reach, and what it must not. */
export function boundaryFacts({ binding: { environment } }: Plan): Fact[] {
  const boundary = mapping(environment.boundary);
  const lists = (['hosts', 'directories', 'commands'] as const).map((name): Fact => [name, texts(boundary[name]).join(', ') || 'only what the connections below are']);
  const buckets = texts(boundary['buckets']);
  return [...lists, ...(buckets.length === 0 ? [] : [['buckets', buckets.join(', ')] as const]), ['forbidden', environment.forbidden.length === 0 ? 'nothing is shown to be out of reach' : `${environment.forbidden.join(', ')} must be out of reach`]];
}

export function allSteps({ binding }: Plan): PlanStep[] {
  return [...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup];
}

/** `timeout 30m 00s, 3 attempts at most, 5.00 s apart; expected 1.44 s`. */
export function timing(step: PlanStep, { observed }: Plan): string {
  const retries = step.attempts > 1 ? `, ${step.attempts} attempts at most, ${formatDuration(step.retryDelayMs)} apart` : '';
  const total = step.totalTimeoutMs === null ? '' : `, all together within ${formatDuration(step.totalTimeoutMs)}`;
  const expected = observed.expected?.steps[step.id];
  return `timeout ${formatDuration(step.timeoutMs)}${retries}${total}${expected === undefined ? '' : `; took ${formatDuration(expected)} before`}`;
}

/** The arguments as the step gets them: `server: source, rows: 100000`. */
export function argumentsOf(input: Readonly<Record<string, unknown>>): string {
  return Object.entries(input).map(([name, value]) => `${name}: ${inWords(value)}`).join(', ');
}

/** Rights on a server stand together. */
export function permissionsOf(permissions: readonly Record<string, unknown>[]): string[] {
  const onServers = new Map<string, Set<string>>();
  for (const permission of permissions) {
    if (permission['system'] !== 'postgres') continue;
    const connection = word(permission['connection']);
    onServers.set(connection, (onServers.get(connection) ?? new Set()).add(word(permission['grant'])));
  }
  const lines = permissions.map((permission) => {
    const { system } = permission;
    if (system === 'postgres') return `on ${word(permission['connection'])}: ${[...(onServers.get(word(permission['connection'])) ?? [])].join(', ')}`;
    if (system === 'command') return `run ${word(permission['command'])}`;
    if (system === 'path') return `${word(permission['access'])} ${word(permission['path'])}`;
    return Object.values(permission).map(word).join(' ');
  });
  return [...new Set(lines)];
}

export function selectionOf(step: PlanStep, { observed }: Plan): string | undefined {
  const { selection } = step;
  if (selection === undefined) return undefined;
  const found = observed.selected?.find((each) => each.step === step.id);
  const bound = selection.maxAgeMs === null ? '' : `, at most ${formatDuration(selection.maxAgeMs)} old`;
  const now = found === undefined ? '' : `; now that is ${found.name} of ${found.at}`;
  return `${selection.what}: ${selection.rule}${bound}${selection.pinned === null ? now : `; pinned: ${selection.pinned}`}`;
}

export interface OpenValue {
  /** Where in the step's input. */
  readonly at: string;
  /** The template path that it waits for. */
  readonly path: string;
}

/** Values that stay open until the run. */
export function openValues(value: unknown, at = ''): OpenValue[] {
  if (value === null || typeof value !== 'object') return [];
  if ('unknown' in value && typeof value.unknown === 'string' && Object.keys(value).length === 1) return [{ at, path: value.unknown }];
  return Object.entries(value).flatMap(([name, member]) => openValues(member, at === '' ? name : `${at}.${name}`));
}

/** A value in words; an unknown one as `<path>`. */
export function inWords(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? '';
  if ('unknown' in value && typeof value.unknown === 'string' && Object.keys(value).length === 1) return `<${value.unknown}>`;
  if (Array.isArray(value)) return `[${value.map(inWords).join(', ')}]`;
  return `{${Object.entries(value).map(([name, member]) => `${name}: ${inWords(member)}`).join(', ')}}`;
}

function objectives({ binding: { objectives } }: Plan): string {
  const rto = objectives.rtoMs === null ? 'no RTO' : `RTO ${formatDuration(objectives.rtoMs)}`;
  const rpo = objectives.rpoMs === null ? 'no RPO' : objectives.rpoMs === 0 ? 'RPO 0 (no acknowledged row lost)' : `RPO ${formatDuration(objectives.rpoMs)}`;
  return `${rto}, ${rpo}`;
}

function gitNote(git: Plan['binding']['runbook']['git']): string {
  if (git === null) return ' (in no git repository)';
  if (!git.tracked) return ' (not tracked by git)';
  if (!git.clean) return ' (differs from git HEAD)';
  return git.commit === null ? '' : ` at ${git.commit.slice(0, 12)}`;
}

function watchers(watch: unknown): string {
  const { required, advisory, profiles } = mapping(watch);
  const names = [...texts(required).map((name) => `${name} (required)`), ...texts(advisory).map((name) => `${name} (advisory)`)];
  if (names.length === 0) return 'none: a change that no step made goes unseen';
  const known = Array.isArray(profiles) ? profiles.map((profile: unknown) => inWords(mapping(profile)['name'] ?? profile)) : [];
  return `${names.join(', ')}${known.length === 0 ? '' : `; expected actors: ${known.join(', ')}`}`;
}

function approvals(demand: unknown): string {
  const { required, by, operatorMayApprove } = mapping(demand);
  if (typeof required !== 'number' || required === 0) return 'none demanded';
  const who = texts(by);
  return `${required} ${required === 1 ? 'person' : 'people'}${who.length === 0 ? '' : ` of ${who.join(', ')}`}${operatorMayApprove === true ? ', the operator may be one' : ', not the operator'}`;
}

const word = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null));
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []);

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}
