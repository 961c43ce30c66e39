import type { Change } from '../define-step.js';
import type { Observation } from '../define-watcher.js';
import type { DrillEvent, EventDataOf } from '../events.js';
import { flattenSteps, type PlanBinding } from '../plan-document.js';
import type { ExpectedActor } from './profile.js';
import type { WatchPolicy } from './policy.js';

/** A span of UTC in which a step or probe was at work; open while `until` is null. */
interface Window {
  readonly changes: readonly Change[];
  /** The runbook's author wrote `changes:` (exec, manual): they cover what the step has others do. */
  readonly authored: boolean;
  readonly from: number;
  until: number | null;
}

export type Attributed = Pick<EventDataOf<'watch.observed'>, 'ours' | 'allowedBy'>;

/**
 * Decides whose an observed change is. The system's own proof comes first. What steps and probes declare counts only for
 * the time in which they were at work: what a type declares of itself where nothing says who did it, what the author of a
 * step declared (`changes:` of exec and manual) also where the system names somebody else.
 */
export class Attribution {
  readonly #windows = new Map<string, Window[]>();
  readonly #declared: ReadonlyMap<string, readonly Change[]>;
  readonly #expected: readonly { readonly actor: ExpectedActor; readonly profile: string }[];
  /** Connections that an endpoint has led to. */
  readonly #behind = new Map<string, Set<string>>();

  constructor(binding: Pick<PlanBinding, 'steps' | 'probes' | 'cleanup'>, policy: Pick<WatchPolicy, 'profiles'>) {
    const steps = [...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup];
    this.#declared = new Map([...steps.map(({ id, changes }) => [id, changes] as const), ...binding.probes.map(({ id, changes }) => [`probe:${id}`, changes] as const)]);
    this.#expected = policy.profiles.flatMap(({ name, expect }) => expect.map((actor) => ({ actor, profile: name })));
  }

  /** Every event of the run, in order: which step is at work, and where endpoints lead. */
  take(event: DrillEvent): void {
    const at = Date.parse(event.at);
    switch (event.type) {
      case 'step.started':
        return this.#open(event.step ?? '', at, event.data.with['changes']);
      case 'step.finished':
        return this.#close(event.step ?? '', at);
      case 'probe.started':
        return this.#open(`probe:${event.data.probe}`, at, undefined);
      case 'probe.stopped':
        return this.#close(`probe:${event.data.probe}`, at);
      case 'endpoint.opened':
      case 'endpoint.switched':
        if (event.data.to !== null) this.#behind.set(event.data.endpoint, (this.#behind.get(event.data.endpoint) ?? new Set()).add(event.data.to));
        return;
      default:
    }
  }

  /** Does this step declare that it alters something? */
  declares(step: string): boolean {
    return (this.#windows.get(step)?.at(-1)?.changes ?? []).length > 0;
  }

  judge(observation: Observation, now: string): Attributed {
    if (observation.proof === 'ours' || this.#isDeclared(observation, Date.parse(now))) return { ours: true, allowedBy: null };
    const found = this.#expected.find(({ actor }) => matches(actor, observation));
    return { ours: false, allowedBy: found === undefined ? null : `${found.profile}: ${found.actor.name}` };
  }

  #open(who: string, from: number, authored: unknown): void {
    const written = changesOf(authored);
    const window: Window = { changes: written ?? this.#declared.get(who) ?? [], authored: written !== undefined, from, until: null };
    this.#windows.set(who, [...(this.#windows.get(who) ?? []), window]);
  }

  #close(who: string, until: number): void {
    const last = this.#windows.get(who)?.at(-1);
    if (last !== undefined) last.until = until;
  }

  #isDeclared({ proof, system, object, at, since }: Observation, now: number): boolean {
    const until = at === undefined ? now : Date.parse(at);
    const from = since === undefined ? until : Date.parse(since);
    return [...this.#windows.values()].flat().some((window) => {
      if (proof === 'another' && !window.authored) return false;
      if (until < window.from || (window.until !== null && from > window.until)) return false;
      return window.changes.some((change) => this.#isSystem(change.system, system) && isObject(change.object, object));
    });
  }

  #isSystem(declared: string, observed: string): boolean {
    const endpoint = /^endpoint:(.+)$/.exec(declared)?.[1];
    const connection = /^postgres:(.+)$/.exec(observed)?.[1];
    if (endpoint !== undefined && connection !== undefined) return this.#behind.get(endpoint)?.has(connection) === true;
    return isObject(declared, observed);
  }
}

/** `changes` of a rendered input. */
function changesOf(value: unknown): readonly Change[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((each: unknown): each is Change => typeof each === 'object' && each !== null && 'system' in each && 'object' in each && typeof each.system === 'string' && typeof each.object === 'string');
}

/** `*` is everything, and so is what the plan did not know (`<steps.x.y>`). `table orders` is also `table public.orders`. */
function isObject(declared: string, observed: string): boolean {
  const pattern = plain(declared).split(/\*|<[^<>]*>/).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`, 'su').test(plain(observed));
}

const plain = (object: string): string => object.replaceAll('"', '').replace(/^(\w+ )public\./, '$1');

function matches({ system, actor, object, change }: ExpectedActor, observed: Observation): boolean {
  if (system !== observed.system && system !== observed.system.split(':')[0]) return false;
  const fits = (pattern: string | undefined, text: string | null) => pattern === undefined || (text !== null && new RegExp(pattern, 'u').test(text));
  return fits(actor, observed.actor) && fits(object, observed.object) && fits(change, observed.change);
}
