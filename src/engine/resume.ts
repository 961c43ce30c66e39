import { pendingCleanups, type PendingCleanup } from './cleanup.js';
import type { EarlierProbe } from './define-step.js';
import type { DrillEvent, EventOf } from './events.js';
import { flattenSteps, type Plan } from './plan-document.js';
import { redactionMark } from './redact.js';
import type { Registry } from './registry.js';
import { worldFromEvents, type LiveWorld } from './world.js';

type StepEnd = EventOf<'step.finished'>['data']['status'] | 'skipped';

/** What a journal says of a run whose process is gone. */
export interface ResumeState {
  readonly run: string | null;
  /** Output of every step that succeeded. Sensitive values in it are redacted, as the journal has them. */
  readonly outputs: ReadonlyMap<string, unknown>;
  /** How every step ended that did end, or was left out. One that the operator had tried again has not ended. */
  readonly ended: ReadonlyMap<string, StepEnd>;
  /** Steps that had begun and not ended: what they did is not known. Several in parallel branches. */
  readonly interrupted: readonly string[];
  /** Connections that were being made. */
  readonly provisioning: readonly string[];
  /** Attempts that each step has made. */
  readonly attempts: ReadonlyMap<string, number>;
  readonly fault: EventOf<'fault.sent'> | null;
  /** The last registered first. */
  readonly pending: readonly PendingCleanup[];
  readonly world: LiveWorld;
  readonly verified: boolean;
  /** Probes that have read back what was recovered. */
  readonly readBack: ReadonlySet<string>;
  readonly probes: ReadonlyMap<string, EarlierProbe>;
  readonly cancelled: boolean;
  /** No step was to follow: one had failed, or the cleanup of the run had begun. */
  readonly over: boolean;
  /** `run.finished` stands there: nothing is left to resume. */
  readonly finished: boolean;
  /** Boot id of the last line. */
  readonly boot: string | null;
}

export function resumeState(events: readonly DrillEvent[]): ResumeState {
  const outputs = new Map<string, unknown>();
  const ended = new Map<string, StepEnd>();
  const attempts = new Map<string, number>();
  const begun = new Set<string>();
  const provisioning = new Set<string>();
  const probes = new Map<string, EarlierProbe>();
  const readBack = new Set<string>();
  const seen = new Set<DrillEvent['type']>();
  let run: string | null = null;
  let fault: EventOf<'fault.sent'> | null = null;
  let leftOut = false;
  let cleaning = false;
  for (const event of events) {
    seen.add(event.type);
    const { step } = event;
    switch (event.type) {
      case 'run.started':
        run = event.data.run;
        break;
      case 'fault.sent':
        fault ??= event;
        break;
      case 'connection.provisioning':
        provisioning.add(event.data.connection);
        break;
      case 'connection.provisioned':
        provisioning.delete(event.data.connection);
        break;
      case 'probe.started':
        if (!probes.has(event.data.probe)) probes.set(event.data.probe, { lastRow: 0 });
        break;
      case 'ledger.row':
        probes.set(event.data.probe, { lastRow: Math.max(event.data.n, probes.get(event.data.probe)?.lastRow ?? 0) });
        break;
      case 'ledger.recovered':
        readBack.add(event.data.probe);
        break;
      case 'evidence.recorded':
        if (seen.has('verification.ended') && step?.startsWith('probe:') === true) readBack.add(step.slice('probe:'.length));
        break;
      case 'step.started':
        if (step !== undefined) begun.add(step);
        break;
      case 'step.attempt-failed':
        if (step !== undefined) attempts.set(step, event.attempt ?? 0);
        break;
      case 'step.finished':
        if (step === undefined) break;
        begun.delete(step);
        ended.set(step, event.data.status);
        attempts.set(step, event.attempt ?? 0);
        if (event.data.status === 'succeeded') outputs.set(step, event.data.output);
        break;
      case 'step.skipped':
        if (step !== undefined) ended.set(step, 'skipped');
        leftOut ||= event.data.because !== 'operator';
        break;
      case 'cleanup.started':
        // What an interrupted step had registered is also undone before that step is repeated.
        cleaning ||= step === undefined || !begun.has(step);
        break;
      case 'operator.chose':
        if (step === undefined) break;
        if (event.data.choice === 'retry') ended.delete(step);
        if (event.data.choice === 'skip') ended.set(step, 'skipped');
        break;
      default:
    }
  }
  const failed = [...ended.values()].some((status) => status === 'failed' || status === 'timed-out' || status === 'cancelled');
  return {
    run,
    outputs,
    ended,
    interrupted: [...begun],
    provisioning: [...provisioning],
    attempts,
    fault,
    pending: pendingCleanups(events),
    world: worldFromEvents(events),
    verified: seen.has('verification.ended'),
    readBack,
    probes,
    cancelled: seen.has('cancel.requested'),
    over: failed || leftOut || cleaning,
    finished: seen.has('run.finished'),
    boot: events.at(-1)?.boot ?? null,
  };
}

/**
 * Why a run cannot be continued, in the operator's words; empty when it can. It asks definitions only, and touches nothing.
 * A run that is `over` has nothing to continue: it is ended.
 */
export async function whyNotResumable(state: ResumeState, plan: Plan, registry: Pick<Registry, 'step'>, boot: string, tool: string): Promise<string[]> {
  if (state.run === null) return ['it never began: its journal is empty'];
  if (state.finished) return ['it had come to its end'];
  if (state.cancelled) return ['it was being cancelled'];
  if (state.fault === null) return ['it died before its fault: nothing was broken yet, so a new run loses nothing'];
  const why: string[] = [];
  if (plan.binding.tool !== tool) why.push(`it was begun by Muster ${plan.binding.tool}, and this is ${tool}`);
  if (state.boot !== boot && state.pending.length > 0) why.push('this machine was restarted since: the processes that the run had started are gone');
  if (state.over) return why;
  const steps = new Map(flattenSteps(plan.binding.steps).map(({ step }) => [step.id, step]));
  for (const id of state.interrupted) {
    const step = steps.get(id);
    if (step === undefined) why.push(`the plan has no step ${id}`);
    else if (!((await registry.step(step.uses)).repeatable ?? step.effect === 'read')) why.push(`step ${id} (${step.uses}) had begun and may have altered something already; steps of this type cannot be repeated`);
  }
  for (const [id, output] of state.outputs) if (JSON.stringify(output ?? null).includes(redactionMark)) why.push(`the output of step ${id} holds a sensitive value, which the journal does not keep`);
  return why;
}
