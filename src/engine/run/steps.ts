import type { StepDefinition } from '../define-step.js';
import { isParallel, type Runbook } from '../documents.js';
import { GuardError, messageOf, StepError } from '../errors.js';
import type { EventDataOf } from '../events.js';
import { JournalError } from '../journal.js';
import { flattenSteps, type PlacedStep, type PlanNode, type PlanStep } from '../plan-document.js';
import { AttemptTimeout, Cancelled, Deadline, SiblingFailure, TotalTimeout, withAttempts, type Hold, type Outcome } from '../retry.js';
import { render } from '../template.js';
import { cleanUp } from './clean-up.js';
import { stepContext } from './context.js';
import type { Runtime } from './runtime.js';

/** Why the steps ended early. */
export interface Stopped {
  readonly step: PlanStep;
  readonly status: 'failed' | 'timed-out' | 'cancelled';
  readonly error: unknown;
}

type With = Record<string, unknown>;

/** Runs steps in order and branches side by side. Every event is flushed before what it announces. */
export class StepRunner {
  readonly #with: ReadonlyMap<string, With>;
  readonly #begun = new Set<string>();
  /** Steps in which an earlier process died. */
  readonly #undo: Set<string>;

  constructor(private readonly runtime: Runtime) {
    this.#with = templatesOf(runtime.request.runbook);
    const earlier = runtime.request.takeover?.state;
    this.#undo = new Set(earlier?.interrupted);
    for (const step of [...(earlier?.ended.keys() ?? []), ...(earlier?.interrupted ?? [])]) this.#begun.add(step);
  }

  /** Runs the nodes in order; what stopped them, or null when all succeeded. Rejects only with JournalError. */
  async run(nodes: readonly PlanNode[], signal: AbortSignal): Promise<Stopped | null> {
    for (const node of nodes) {
      const stopped = node.kind === 'step' ? await this.#inTurn([node], null, signal) : await this.#sideBySide(node.branches, signal);
      if (stopped !== null) return stopped;
    }
    return null;
  }

  /** Journals every step that was never begun. */
  async skipRest(nodes: readonly PlanNode[], because: 'earlier-failure' | 'cancelled', detail: string): Promise<void> {
    const rest = flattenSteps(nodes).filter(({ step }) => !this.#begun.has(step.id));
    await Promise.all(rest.map(({ step, branch }) => this.runtime.request.journal.append('step.skipped', { because, detail }, placeOf({ step, branch }))));
  }

  async #inTurn(steps: readonly PlanStep[], branch: string | null, signal: AbortSignal): Promise<Stopped | null> {
    for (const step of steps) {
      if (signal.aborted) return { step, status: 'cancelled', error: signal.reason };
      if (this.#isDone(step.id)) continue;
      const stopped = await this.#withOperator({ step, branch }, signal);
      if (stopped !== null) return stopped;
    }
    return null;
  }

  /** In the process that had the run before. A run with a step that ended otherwise is not continued. */
  #isDone(step: string): boolean {
    const status = this.runtime.request.takeover?.state.ended.get(step);
    return status === 'succeeded' || status === 'skipped';
  }

  /** The first failure tells the other branches to stop; resolves when all have ended. */
  async #sideBySide(branches: Readonly<Record<string, readonly PlanStep[]>>, signal: AbortSignal): Promise<Stopped | null> {
    const group = new Deadline(null, signal);
    let first: Stopped | null = null;
    const run = async ([name, steps]: [string, readonly PlanStep[]]) => {
      const stopped = await this.#inTurn(steps, name, group.signal);
      if (stopped === null || first !== null) return;
      first = stopped;
      group.abort(new SiblingFailure(`step ${stopped.step.id} of branch ${name} ${stopped.status === 'timed-out' ? 'timed out' : stopped.status}`));
    };
    try {
      const ends = await Promise.allSettled(Object.entries(branches).map(run));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      return first;
    } finally {
      group.end();
    }
  }

  async #withOperator(placed: PlacedStep, signal: AbortSignal): Promise<Stopped | null> {
    const { hooks, journal } = this.runtime.request;
    const earlier = this.runtime.request.takeover?.state;
    for (let attempts = earlier?.attempts.get(placed.step.id) ?? 0; ; ) {
      const outcome = await this.#step(placed, attempts, signal);
      if (outcome.status === 'succeeded') return null;
      attempts = outcome.attempt;
      const { status, error } = outcome;
      if (status === 'cancelled' || signal.aborted || hooks?.failedStep === undefined || this.#isRefusal(error)) return { step: placed.step, status, error };
      const choice = await hooks.failedStep({ step: placed.step, status, error }, signal).catch((thrown: unknown) => {
        if (signal.aborted) return null;
        throw thrown;
      });
      if (choice === null) return { step: placed.step, status, error };
      await journal.append('operator.chose', { choice }, placeOf(placed));
      if (choice === 'abort') return { step: placed.step, status, error };
      if (choice === 'skip') {
        await journal.append('step.skipped', { because: 'operator', detail: messageOf(error) }, placeOf(placed));
        return null;
      }
    }
  }

  #isRefusal(error: unknown): boolean {
    return error instanceof GuardError && !this.runtime.fault.sent;
  }

  /** One step from its rendered input to its checked output. `earlier`: attempts that the operator had repeated. */
  async #step(placed: PlacedStep, earlier: number, signal: AbortSignal): Promise<Outcome<unknown>> {
    const { request, limits } = this.runtime;
    const { step } = placed;
    const { journal } = request;
    const place = placeOf(placed);
    this.#begun.add(step.id);
    const ready = await this.#undone(step, await this.#prepare(step));
    await journal.append('step.started', { uses: step.uses, with: ready.input }, place);
    const policy = { attempts: step.attempts, timeoutMs: step.timeoutMs, totalTimeoutMs: step.totalTimeoutMs, delayMs: step.retryDelayMs, graceMs: limits.graceMs };
    const outcome: Outcome<unknown> =
      ready.definition !== undefined
        ? await withAttempts(policy, request.clock, signal, {
            run: (attempt, attemptSignal, hold) => this.#attempt(placed, ready, earlier + attempt, attemptSignal, hold),
            onRetry: async ({ attempt, error, timedOut, retryInMs }) => {
              await journal.append('step.attempt-failed', { error: factOf(error), timedOut, retryInMs }, { ...place, attempt: earlier + attempt });
            },
          })
        : { status: 'failed', attempt: 1, error: ready.error };
    const attempt = earlier + outcome.attempt;
    if (outcome.status === 'succeeded') {
      journal.note('step.finished', { status: 'succeeded', output: outcome.value }, { ...place, attempt });
      this.runtime.known.steps[step.id] = outcome.value;
    } else {
      if (outcome.error instanceof JournalError) throw outcome.error;
      await journal.append('step.finished', { status: outcome.status, error: factOf(outcome.error) }, { ...place, attempt });
    }
    return { ...outcome, attempt };
  }

  async #attempt(placed: PlacedStep, { definition, input }: Ready, attempt: number, signal: AbortSignal, hold: Hold): Promise<unknown> {
    const { check } = this.runtime;
    const output = await definition.run(input, stepContext(this.runtime, placed, attempt, signal, hold));
    if (!check(definition.output, output)) throw new StepError('invalid-output', `${definition.type} gave an output that is not of its schema: ${check.problems(definition.output, output).join('; ')}`);
    return output;
  }

  /** A step in which the process died begins from its start: what it had registered to be undone is undone first. */
  async #undone(step: PlanStep, ready: Ready | Unready): Promise<Ready | Unready> {
    if (this.#undo.delete(step.id) && ready.definition !== undefined) {
      const failures = await cleanUp(this.runtime, (cleanup) => cleanup.step === step.id);
      if (failures.length > 0) return { input: ready.input, error: new StepError('not-undone', `what the interrupted attempt had made could not be removed: ${failures.map(({ uses, error }) => `${uses}: ${error}`).join('; ')}`) };
    }
    return ready;
  }

  async #prepare(step: PlanStep): Promise<Ready | Unready> {
    try {
      const { request, check, known } = this.runtime;
      const definition = await request.registry.step(step.uses);
      const input = render(this.#with.get(step.id) ?? {}, known);
      if (!check(definition.input, input)) throw new StepError('invalid-input', `the rendered input of ${step.uses} is not valid: ${check.problems(definition.input, input).join('; ')}`);
      return { definition, input: input as With };
    } catch (error) {
      return { input: step.with, error };
    }
  }
}

interface Ready {
  readonly definition: StepDefinition;
  readonly input: With;
}

/** `input` is then the plan's, with what was not known left so. */
interface Unready {
  readonly definition?: undefined;
  readonly input: With;
  readonly error: unknown;
}

function placeOf({ step, branch }: PlacedStep) {
  return branch === null ? { step: step.id } : { step: step.id, parent: branch };
}

/** How an error stands in the journal; a stable code for each kind. */
function factOf(error: unknown): NonNullable<EventDataOf<'step.finished'>['error']> {
  const message = messageOf(error);
  if (error instanceof StepError) return { code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  if (error instanceof GuardError) return { code: 'refused', message: [message, ...error.details].join('; ') };
  if (error instanceof AttemptTimeout) return { code: 'timed-out', message };
  if (error instanceof TotalTimeout) return { code: 'timed-out-in-total', message };
  if (error instanceof Cancelled) return { code: 'cancelled', message };
  if (error instanceof SiblingFailure) return { code: 'sibling-failed', message };
  return { code: 'unexpected-error', message };
}

/** `with` of every step as the runbook's author wrote it. */
function templatesOf(runbook: Runbook): Map<string, With> {
  const steps = runbook.steps.flatMap((node) => (isParallel(node) ? Object.values(node.parallel).flat() : [node]));
  return new Map([...steps, ...(runbook.cleanup ?? [])].map((step) => [step.id, step.with ?? {}]));
}
