import { isAbsolute, relative } from 'node:path';
import type { BaseContext, CleanupCall, CleanupDefinition, Clock, DeferredCleanup, Ports } from './define-step.js';
import { GuardError, messageOf } from './errors.js';
import type { DrillEvent } from './events.js';
import { JournalError, type EventPlace, type Journal } from './journal.js';
import type { Registry } from './registry.js';
import { Deadline, endWithin } from './retry.js';
import { renewal, type RenewCredentials } from './run/renew.js';
import { createScope, type AccessCheck } from './run/scope.js';
import type { Scope, Target } from './scope.js';
import type { World } from './world.js';

/** A registered cleanup that is not known to be done. */
export interface PendingCleanup extends CleanupCall {
  readonly id: string;
  readonly identity?: Record<string, unknown>;
  /** Step id or `provision:<connection>` that registered it. */
  readonly step?: string;
}

/** What a journal still owes, the last registered first. One that failed is owed again. */
export function pendingCleanups(events: Iterable<DrillEvent>): PendingCleanup[] {
  const pending = new Map<string, PendingCleanup>();
  for (const event of events) {
    if (event.type === 'cleanup.deferred') {
      const { id, uses, with: data } = event.data;
      pending.set(id, { id, uses, with: data, ...(event.step === undefined ? {} : { step: event.step }) });
    } else if (event.type === 'cleanup.confirmed') {
      const found = pending.get(event.data.id);
      if (found !== undefined) pending.set(found.id, { ...found, identity: { ...found.identity, ...event.data.identity } });
    } else if (event.type === 'cleanup.finished' && event.data.ok) pending.delete(event.data.id);
  }
  return [...pending.values()].reverse();
}

/** The cleanups of a living run: every change goes to the journal first. */
export class CleanupStack {
  readonly #pending = new Map<string, PendingCleanup>();
  #next: number;

  /** `events`: of the process that had the run before. */
  constructor(private readonly journal: Pick<Journal, 'append'>, events: readonly DrillEvent[] = []) {
    for (const cleanup of pendingCleanups(events).reverse()) this.#pending.set(cleanup.id, cleanup);
    this.#next = events.filter(({ type }) => type === 'cleanup.deferred').length + 1;
  }

  /** The last registered first. */
  get pending(): PendingCleanup[] {
    return [...this.#pending.values()].reverse();
  }

  async defer({ uses, with: data }: CleanupCall, place: EventPlace): Promise<DeferredCleanup> {
    const id = `c${this.#next}`;
    this.#next += 1;
    await this.journal.append('cleanup.deferred', { id, uses, with: data }, place);
    this.#pending.set(id, { id, uses, with: data, ...(place.step === undefined ? {} : { step: place.step }) });
    return {
      confirm: async (identity) => {
        await this.journal.append('cleanup.confirmed', { id, identity }, place);
        const found = this.#pending.get(id);
        if (found !== undefined) this.#pending.set(id, { ...found, identity: { ...found.identity, ...identity } });
      },
      done: async () => {
        await this.journal.append('cleanup.finished', { id, ok: true }, place);
        this.finished(id);
      },
    };
  }

  finished(id: string): void {
    this.#pending.delete(id);
  }
}

export interface CleanupRequest {
  /** From `pendingCleanups(events)` or CleanupStack, the last registered first. */
  readonly pending: readonly PendingCleanup[];
  readonly runId: string;
  readonly registry: Registry;
  readonly world: World;
  bindPorts(scope: Scope, world: World): Ports;
  readonly guard: AccessCheck;
  readonly journal: Pick<Journal, 'append' | 'note'>;
  readonly clock: Clock;
  log(who: string, line: string): void;
  /** For each that does not say itself how long it may take; default 2 minutes. */
  readonly timeoutMs?: number;
  /** How long one that was told to stop may take to end; default 10 s. */
  readonly graceMs?: number;
  readonly onDone?: (id: string) => void;
  readonly renewCredentials?: RenewCredentials | undefined;
}

export interface CleanupFailure {
  readonly id: string;
  readonly uses: string;
  readonly error: string;
}

/**
 * Runs them one after the other, each with its own timeout, all of them even when some fail or the journal can no
 * longer be written. Gives those that failed: what they should have removed may still be there.
 */
export async function runCleanups(request: CleanupRequest): Promise<CleanupFailure[]> {
  const failures: CleanupFailure[] = [];
  for (const cleanup of request.pending) {
    const place = cleanup.step === undefined ? {} : { step: cleanup.step };
    await ifPossible(() => request.journal.append('cleanup.started', { id: cleanup.id }, place));
    try {
      await runOne(cleanup, request);
      await ifPossible(() => request.journal.note('cleanup.finished', { id: cleanup.id, ok: true }, place));
      request.onDone?.(cleanup.id);
    } catch (error) {
      failures.push({ id: cleanup.id, uses: cleanup.uses, error: messageOf(error) });
      await ifPossible(() => request.journal.note('cleanup.finished', { id: cleanup.id, ok: false, error: messageOf(error) }, place));
    }
  }
  return failures;
}

async function runOne(cleanup: PendingCleanup, { timeoutMs: usualMs = 120_000, graceMs = 10_000, ...request }: CleanupRequest): Promise<void> {
  const definition = await cleanupDefinition(request.registry, cleanup.uses);
  const timeoutMs = definition.timeoutMs ?? usualMs;
  const who = `cleanup:${cleanup.id}`;
  const deadline = new Deadline(timeoutMs, new AbortController().signal, () => new Error(`the cleanup took longer than ${timeoutMs} ms`));
  try {
    const { signal } = deadline;
    const scope = createScope({ who, phase: 'cleanup', runId: request.runId, signal, guard: undoing(request.guard, cleanup, request.world), ...renewal({ ask: request.renewCredentials, hold: () => deadline.hold(), signal, journal: request.journal, place: { step: who }, clock: request.clock }) });
    const ctx: BaseContext = { runId: request.runId, signal, clock: request.clock, ports: request.bindPorts(scope, request.world), log: (line) => request.log(who, line) };
    await endWithin(definition.run(cleanup.with, cleanup.identity, ctx), signal, graceMs);
    signal.throwIfAborted();
  } finally {
    deadline.end();
  }
}

/**
 * What the journal proves that the run itself made may always be undone, whatever the boundary says: the file or folder
 * whose inode was noted when it was made, and servers on this machine that it provisioned. All else is the guard's to decide.
 */
function undoing(guard: AccessCheck, { with: data, identity }: PendingCleanup, world: World): AccessCheck {
  const made = typeof identity?.['inode'] === 'number' ? Object.values(data).filter((value): value is string => typeof value === 'string' && isAbsolute(value)) : [];
  const isOurs = (target: Target): boolean => {
    if (target.kind === 'path') return made.some((path) => !relative(path, target.path).startsWith('..'));
    if (target.kind !== 'postgres' || target.role === 'production') return false;
    return world.connections.get(target.connection)?.details['local'] !== undefined;
  };
  return {
    check(target, effect) {
      try {
        guard.check(target, effect);
      } catch (error) {
        if (!(error instanceof GuardError) || !isOurs(target)) throw error;
      }
    },
  };
}

/** Finds `<type>/<name>`. Throws RangeError when no such cleanup is known to this version. */
async function cleanupDefinition(registry: Registry, uses: string): Promise<CleanupDefinition> {
  const slash = uses.lastIndexOf('/');
  const type = uses.slice(0, slash);
  const entry = registry.catalog.get(type);
  const load = { step: () => registry.step(type), probe: () => registry.probe(type), provisioner: () => registry.provisioner(type), watcher: () => undefined };
  const owner = entry === undefined ? undefined : await load[entry.role]();
  const found = owner?.cleanups?.[uses.slice(slash + 1)];
  if (found === undefined) throw new RangeError(`no cleanup ${uses} is known; it needs the version of Muster that registered it`);
  return found;
}

/** What was done is done even if it cannot be written down: a cleanup never waits for a full disk. */
async function ifPossible(record: () => unknown): Promise<void> {
  try {
    await record();
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
  }
}
