import type { Clock, Effect, Instant } from '../define-step.js';
import { GuardError, StepError } from '../errors.js';
import type { EventDataOf, EventOf } from '../events.js';
import type { Journal } from '../journal.js';
import type { Scope, Target } from '../scope.js';

/** What the run needs of the guard (guard.ts): throws GuardError when the call must not be sent. */
export interface AccessCheck {
  check(target: Target, effect: Effect): void;
}

export interface ScopeParts extends Omit<Scope, 'access'> {
  readonly guard: AccessCheck;
  /** The strongest effect that the caller has declared; without it nothing was. */
  readonly declared?: Effect;
  /** Files that no declaration is needed for: the caller's own scratch folder. */
  readonly isScratch?: (target: Target) => boolean;
  /** Called before every call that alters something, after the guard has let it through. */
  readonly beforeChange?: (target: Target) => Promise<void>;
}

/**
 * Binds guard and fault stamp to one caller. Once its signal is aborted no call gets through any more, so that work
 * which ignores the signal cannot alter anything after its time.
 */
export function createScope({ guard, beforeChange, declared, isScratch, ...caller }: ScopeParts): Scope {
  return {
    ...caller,
    async access(target, effect) {
      caller.signal.throwIfAborted();
      guard.check(target, effect);
      if (declared !== undefined && strength[effect] > strength[declared] && isScratch?.(target) !== true) {
        throw new GuardError(`refused to ${effect} (${nameOf(target)}): step ${caller.who} is planned with the effect ${declared}`, [`A plan shows what a step may do: give it effect ${effect}, if that is what it is for.`]);
      }
      if (effect === 'read' || beforeChange === undefined) return;
      await beforeChange(target);
      caller.signal.throwIfAborted();
    },
  };
}

/** Whoever may make something may also change what was made: a restore starts its copy. Destroying is always said. */
const strength = { read: 0, create: 1, modify: 1, destroy: 2 } as const satisfies Record<Effect, number>;

/** A target in a few words, without what may be secret in it. */
export function nameOf(target: Target): string {
  switch (target.kind) {
    case 'postgres':
      return `postgres ${target.connection}`;
    case 'tcp':
      return `tcp ${target.host}:${target.port}`;
    case 'http': {
      const url = URL.canParse(target.url) ? new URL(target.url) : undefined;
      return url === undefined ? 'http' : `http ${url.origin}${url.pathname}`;
    }
    case 'command':
      return `command ${target.file}`;
    case 'path':
      return `path ${target.path}`;
    case 'kubernetes':
      return `kubernetes ${target.connection}: ${target.resource} ${target.namespace === undefined ? '' : `${target.namespace}/`}${target.name ?? '*'}`;
    case 'endpoint':
      return `endpoint ${target.endpoint}`;
    case 'aws':
      return `${target.action} in ${target.account}/${target.region}`;
    case 'infrastructure':
      return `infrastructure ${target.connection}`;
    case 'bucket':
      return `bucket ${target.bucket}${target.key === undefined ? '' : `/${target.key}`}`;
  }
}

type FaultKind = EventDataOf<'fault.sent'>['kind'];

/** The fault of a drill: journaled once, flushed, before the call that causes it goes on. */
export class FaultStamp {
  #sent: Promise<Instant> | undefined;
  #by: string | undefined;

  constructor(
    private readonly kind: FaultKind,
    private readonly journal: Pick<Journal, 'append'>,
    private readonly clock: Clock,
    private readonly onSent?: () => void,
    earlier?: EventOf<'fault.sent'> | null,
  ) {
    if (earlier === null || earlier === undefined) return;
    this.#sent = Promise.resolve(earlier.data.instant);
    this.#by = earlier.step;
  }

  /** Whether a fault was sent or is being sent. */
  get sent(): boolean {
    return this.#sent !== undefined;
  }

  /** For an injected drill: concurrent callers all wait for the one stamp. */
  async beforeChange(step: string, attempt: number, detail: string): Promise<void> {
    if (this.kind !== 'injected') return;
    await (this.#sent ??= this.#stamp(this.clock.now(), step, attempt, detail));
  }

  /**
   * For a declared or planned drill, by the step `drill.fault`. `at` (UTC) is the scenario's time, default now. The same
   * step may say it again (another attempt). Throws StepError `fault-is-injected`, `fault-already-sent`, `invalid-fault-time`.
   */
  async declare(step: string, attempt: number, detail: string, at?: string): Promise<Instant> {
    if (this.kind === 'injected') throw new StepError('fault-is-injected', 'the fault of an injected drill is stamped by its first inject step that alters something', { hint: 'Set `fault: declared` or `fault: planned` in the runbook, or leave this step out.' });
    if (this.#sent !== undefined && this.#by !== step) throw new StepError('fault-already-sent', `the fault was already marked by step ${this.#by}`);
    return (this.#sent ??= this.#stamp(at === undefined ? this.clock.now() : this.#instantOf(at), step, attempt, detail));
  }

  async #stamp(instant: Instant, step: string, attempt: number, detail: string): Promise<Instant> {
    this.#by = step;
    await this.journal.append('fault.sent', { kind: this.kind, instant, detail }, { step, attempt });
    this.onSent?.();
    return instant;
  }

  /** A UTC time in the past on this boot's monotonic clock. */
  #instantOf(at: string): Instant {
    const now = this.clock.now();
    const agoMs = Date.parse(now.at) - Date.parse(at);
    if (!Number.isFinite(agoMs) || agoMs < 0) throw new StepError('invalid-fault-time', `expected a time in the past such as 2026-01-31T09:30:00Z, found ${JSON.stringify(at)}`);
    const mono = BigInt(now.mono) - BigInt(Math.round(agoMs)) * 1_000_000n;
    if (mono < 0n) throw new StepError('invalid-fault-time', `${at} lies before this machine was started, so it cannot be placed on its clock`, { hint: 'Leave the time out: the fault then counts from this step on.' });
    return { at: new Date(at).toISOString(), mono: mono.toString() };
  }
}
