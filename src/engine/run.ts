import { setMaxListeners } from 'node:events';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { loadSchemaCheck } from './check.js';
import type { CleanupFailure } from './cleanup.js';
import type { PreflightStage } from './define-step.js';
import { messageOf, GuardError, RefusedError } from './errors.js';
import { reachedForbidden } from './isolation.js';
import { JournalError } from './journal.js';
import type { ObservedCheck, PlanNode } from './plan-document.js';
import { refuseFailed } from './preflight.js';
import type { ResumeState } from './resume.js';
import { baselineLimitMs } from './probes.js';
import { Cancelled } from './retry.js';
import { cleanUp } from './run/clean-up.js';
import { keptCleanups, keptEvent } from './run/kept.js';
import { provisionAll } from './run/provision.js';
import { readyProbes, readyWatchers } from './run/ready.js';
import { endInterruptedCommands, reopenEndpoints } from './run/take-over.js';
import type { DrillRequest, DrillResult } from './run/request.js';
import { createRuntime, type Runtime } from './run/runtime.js';
import { StepRunner, type Stopped } from './run/steps.js';
import { watchPolicy } from './watch/policy.js';

export type { DrillHooks, DrillRequest, DrillResult, FailedStep, Limits, Takeover } from './run/request.js';

/**
 * Runs a drill from `run.started` to `run.finished`: provisions, prepares, waits for a healthy state, runs the phases,
 * waits for lasting health, reads back what was recovered, and cleans up whatever happened. Rejects only with
 * an error of the program itself, and then after the cleanup too.
 *
 * A run that is taken over goes on where its journal ends: what is done stays done, a step in which the process died is
 * undone and begun again. Rejects with RefusedError before it touches anything when its endpoints cannot be opened again.
 */
export async function runDrill(request: DrillRequest): Promise<DrillResult> {
  const runtime = createRuntime(request, await loadSchemaCheck());
  if (request.takeover?.mode === 'continue') await reopenEndpoints(runtime);
  return new Drill(runtime).run();
}

/** `ended`: of a run that was taken over only to be cleaned up. */
type End = { readonly stopped: Stopped | null } | { readonly thrown: unknown } | 'ended';

interface Ending {
  readonly completed: boolean;
  readonly cancelled: boolean;
  readonly stopped?: Stopped;
  readonly refused?: RefusedError;
  /** A fault of the program. */
  readonly error?: unknown;
}

class Drill {
  readonly #steps: StepRunner;
  readonly #life = new AbortController();

  constructor(private readonly runtime: Runtime) {
    this.#steps = new StepRunner(runtime);
    setMaxListeners(0, this.#life.signal);
  }

  async run(): Promise<DrillResult> {
    const end = await this.#toItsEnd();
    const ending = this.#endingOf(end);
    const { journal } = this.runtime.request;
    await tolerant(() => this.#countRefusal(end));
    if (!ending.completed) await tolerant(() => this.#skipRest(ending));
    const cleanupFailures = await this.#windDown(ending.refused !== undefined);
    const journalError = journal.broken.aborted ? journalErrorOf(journal.broken.reason) : undefined;
    if (ending.error !== undefined && journalError === undefined) throw ending.error;
    return {
      completed: ending.completed && journalError === undefined,
      cancelled: ending.cancelled,
      cleanupFailures,
      ...(ending.refused === undefined ? {} : { refused: ending.refused }),
      ...(journalError === undefined ? {} : { journalError }),
    };
  }

  async #toItsEnd(): Promise<End> {
    const { request } = this.runtime;
    const cancel = () => void this.#cancel(request.signal.reason);
    const broken = () => this.#life.abort(request.journal.broken.reason);
    request.journal.broken.addEventListener('abort', broken, { once: true });
    try {
      await this.#announce();
      if (request.signal.aborted) cancel();
      else request.signal.addEventListener('abort', cancel, { once: true });
      if (request.takeover === undefined) return { stopped: await this.#phases() };
      await endInterruptedCommands(request.takeover);
      if (request.takeover.mode === 'end') return 'ended';
      return { stopped: await this.#onwards(request.takeover.state) };
    } catch (thrown) {
      return { thrown };
    } finally {
      request.signal.removeEventListener('abort', cancel);
      request.journal.broken.removeEventListener('abort', broken);
    }
  }

  /** The first line of this process. */
  async #announce(): Promise<void> {
    const { request } = this.runtime;
    const { operator, takeover } = request;
    const { binding, digest } = request.plan;
    if (takeover !== undefined) {
      await request.journal.append('run.resumed', { host: hostname(), operator, cut: request.journal.found.cut });
      return;
    }
    await request.journal.append('run.started', {
      run: request.runId,
      tool: { version: request.toolVersion, node: process.version, platform: `${process.platform}-${process.arch}` },
      operator,
      host: hostname(),
      plan: digest,
      sandbox: binding.environment.sandbox,
      ...(request.previous === undefined ? {} : { previous: request.previous }),
      ...(request.closes === undefined ? {} : { closes: request.closes }),
      ...request.about,
    });
    if (request.registered !== undefined) await request.journal.append('store.registered', request.registered);
    for (const approval of request.approvals ?? []) await request.journal.append('plan.approved', approval);
    this.#checked(request.plan.observed.checks);
  }

  #checked(checks: readonly ObservedCheck[]): void {
    for (const { id, step, result, detail } of checks) this.runtime.request.journal.note('preflight.checked', { id, result, detail, ...(step === null ? {} : { step }) });
  }

  /** What was deferred is looked at again. Throws RefusedError while nothing is broken yet; later the verdict says it. */
  async #preflight(stage: Exclude<PreflightStage, 'before'>, signal: AbortSignal): Promise<void> {
    const { request, world } = this.runtime;
    const checks = (await request.hooks?.preflight?.(stage, world, signal)) ?? [];
    this.#checked(checks);
    if (stage !== 'verified') refuseFailed(checks, request.runbook.preflight ?? 'known');
  }

  /** As `#phases`, for a run whose fault was sent by a process that died. */
  async #onwards(state: ResumeState): Promise<Stopped | null> {
    const { request, probes, watchers } = this.runtime;
    const { signal } = this.#life;
    await watchers.takeUp(await readyWatchers(this.runtime), signal);
    const ready = await readyProbes(this.runtime);
    const unread = state.verified ? ready.filter(({ id }) => !state.readBack.has(id)) : ready;
    // First of all: what is not sampled is not proved. A probe that cannot go on leaves a gap, and the drill goes on.
    for (const probe of unread) {
      await probes.start([probe], signal).catch(async (error: unknown) => {
        if (!(error instanceof RefusedError)) throw error;
        await request.journal.append('probe.stopped', { probe: probe.id, error: error.message });
      });
    }
    if (state.verified) {
      await probes.stop(await probes.finish(signal));
      await this.#boundary('after', signal);
      return null;
    }
    const stopped = await this.#steps.run(request.plan.binding.steps, signal);
    if (stopped === null || (stopped.step.phase === 'verify' && stopped.status !== 'cancelled')) await this.#verified(signal);
    if (!signal.aborted) await this.#boundary('after', signal);
    return stopped;
  }

  /** What stopped the steps; rejects with RefusedError, Cancelled, JournalError or a fault of the program. */
  async #phases(): Promise<Stopped | null> {
    const { runtime } = this;
    const { request, world, probes, watchers } = runtime;
    const { binding } = request.plan;
    const { signal } = this.#life;
    await provisionAll(runtime, signal);
    await this.#boundary('before', signal);
    await this.#preflight('provisioned', signal);
    const [prepare, rest] = splitAtFault(binding.steps);
    const unprepared = await this.#steps.run(prepare, signal);
    if (unprepared !== null) return this.#stop(unprepared);
    await this.#preflight('prepared', signal);
    // After the last prepare step, so that what it made is part of the baseline, and before anything is broken.
    await watchers.begin(await readyWatchers(runtime), signal);
    const ready = await readyProbes(runtime);
    await probes.start(ready, signal);
    await probes.baseline(world, binding.fault, request.limits?.baselineMs ?? baselineLimitMs(ready), signal);
    const stopped = await this.#steps.run(rest, signal);
    // A failed verification still shows how fast and how far the service came back.
    if (stopped === null || (stopped.step.phase === 'verify' && stopped.status !== 'cancelled')) await this.#verified(signal);
    if (!signal.aborted) await this.#boundary('after', signal);
    return stopped === null ? null : this.#stop(stopped);
  }

  /** Throws RefusedError when something forbidden is reached before anything was broken; later the verdict says it. */
  async #boundary(when: 'before' | 'after', signal: AbortSignal): Promise<void> {
    const { request, world } = this.runtime;
    for (const { kind, data } of (await request.hooks?.boundary?.(when, world, signal)) ?? []) {
      await request.journal.append('evidence.recorded', { kind, data });
      const reached = kind === 'isolation' && when === 'before' ? reachedForbidden(data) : [];
      if (reached.length > 0) throw new RefusedError('what the environment forbids can be reached from where the restored system would run', reached);
    }
  }

  async #verified(signal: AbortSignal): Promise<void> {
    const { request, probes } = this.runtime;
    const { stableForMs } = request.plan.binding.environment;
    await probes.stable(stableForMs, request.limits?.stableMs ?? 2 * stableForMs + 30_000, signal);
    request.journal.note('verification.ended', {});
    await probes.stop(await probes.finish(signal));
    await this.#preflight('verified', signal);
  }

  /** Turns a call that the guard refused before the fault into a refusal of the run. */
  #stop(stopped: Stopped): Stopped {
    const beforeFault = stopped.step.phase === 'prepare' || stopped.step.phase === 'inject';
    if (beforeFault && !this.runtime.fault.sent && stopped.error instanceof GuardError) throw stopped.error;
    return stopped;
  }

  /** Something is broken, by this process or by the one before: nothing can be refused any more. */
  #broke(): boolean {
    return this.runtime.request.takeover !== undefined || this.runtime.fault.sent;
  }

  /** A refusal that came too late to undo everything as if nothing had been: a check that failed, which the verdict counts. */
  async #countRefusal(end: End): Promise<void> {
    if (end === 'ended' || !('thrown' in end) || !(end.thrown instanceof RefusedError) || !this.#broke()) return;
    const { message, details } = end.thrown;
    this.#checked([{ id: 'refused after the fault', step: null, result: 'failed', detail: [message, ...details].join('; ') }]);
  }

  async #skipRest({ cancelled, stopped }: Ending): Promise<void> {
    const how = stopped?.status === 'timed-out' ? 'timed out' : stopped?.status === 'failed' ? 'failed' : 'was cancelled';
    const detail = stopped === undefined ? `the run ${cancelled ? 'was cancelled' : this.runtime.request.takeover === undefined ? 'ended' : 'was interrupted and ended'}` : `step ${stopped.step.id} ${how}`;
    await this.#steps.skipRest(this.runtime.request.plan.binding.steps, cancelled ? 'cancelled' : 'earlier-failure', detail);
  }

  #endingOf(end: End): Ending {
    const cancelled = this.#life.signal.reason instanceof Cancelled;
    if (end === 'ended') return { completed: false, cancelled: cancelled || this.runtime.request.takeover?.state.cancelled === true };
    if ('stopped' in end) return { completed: end.stopped === null && !cancelled, cancelled, ...(end.stopped === null ? {} : { stopped: end.stopped }) };
    if (end.thrown instanceof RefusedError && !cancelled && !this.#broke()) return { completed: false, cancelled: false, refused: end.thrown };
    if (end.thrown === this.#life.signal.reason || end.thrown instanceof RefusedError || end.thrown instanceof JournalError) return { completed: false, cancelled };
    return { completed: false, cancelled, error: end.thrown };
  }

  async #cancel(reason: unknown): Promise<void> {
    const cancelled = reason instanceof Cancelled ? reason : new Cancelled('operator');
    const { journal } = this.runtime.request;
    // Steps are told at once; a journal that cannot take the line shows in `broken`.
    this.#life.abort(cancelled);
    await journal.append('cancel.requested', { by: cancelled.by }).catch(() => {});
  }

  /**
   * Probes, cleanups last-in first-out, the runbook's cleanup steps, endpoints, residue: each whatever became of the others.
   * Where the journal cannot be written any more, registered cleanups are still done, for they are on record already. The
   * runbook's own steps are not: nothing may alter a system unrecorded. `muster cleanup` does them once there is room.
   */
  async #windDown(refused: boolean): Promise<CleanupFailure[]> {
    const { runtime } = this;
    const { request, probes, watchers, logs, world, cleanups, fault } = runtime;
    const { journal, hooks, plan } = request;
    await tolerant(() => probes.stop());
    if (refused) await watchers.stop();
    else await watchers.end(request.signal.aborted ? 0 : watchPolicy(plan.binding.environment).settleMs);
    const kept = request.keep === true && !refused && fault.sent ? keptCleanups(plan, cleanups.pending) : [];
    const isKept = new Set(kept.map(({ id }) => id));
    if (kept.length > 0) await tolerant(() => journal.append('run.kept', keptEvent(plan, world, kept)));
    const failures = await cleanUp(runtime, ({ id }) => !isKept.has(id));
    const attempt = async (uses: string, work: () => Promise<unknown>) => {
      await tolerant(work).catch((error: unknown) => failures.push({ id: uses, uses, error: messageOf(error) }));
    };
    if (plan.binding.cleanup.length > 0) {
      for (const step of plan.binding.cleanup) await tolerant(() => this.#steps.run([step], new AbortController().signal));
      const failed = new Set(failures.map(({ id }) => id));
      failures.push(...(await cleanUp(runtime, ({ id }) => !failed.has(id) && !isKept.has(id))));
    }
    await attempt('endpoints', () => request.endpoints.close());
    if (cleanups.pending.length === 0) await attempt('work', () => rm(join(request.runDir, 'work'), { recursive: true, force: true }));
    await attempt('ending', async () => hooks?.ending?.());
    await attempt('residue', async () => {
      const found = await hooks?.residue?.(world, kept);
      if (found !== undefined) await journal.append('evidence.recorded', { kind: 'residue', data: found });
    });
    for (const [file, message] of await logs.close()) await tolerant(() => journal.append('evidence.write-failed', { file, message }));
    await tolerant(() => journal.append('run.finished', {}));
    return failures;
  }
}

/** Everything up to the first step that is not `prepare`. */
function splitAtFault(nodes: readonly PlanNode[]): [PlanNode[], PlanNode[]] {
  const first = nodes.findIndex((node) => (node.kind === 'step' ? [node] : Object.values(node.branches).flat()).some(({ phase }) => phase !== 'prepare'));
  return first < 0 ? [[...nodes], []] : [nodes.slice(0, first), nodes.slice(first)];
}

/** The journal's failure is reported by the run's result; what comes after it must still be done. */
async function tolerant(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
  }
}

function journalErrorOf(reason: unknown): JournalError {
  return reason instanceof JournalError ? reason : new JournalError(messageOf(reason));
}
