import { pendingCleanups, type PendingCleanup } from './cleanup.js';
import type { DrillEvent, EventOf } from './events.js';
import { worldFromEvents, type LiveWorld } from './world.js';

/** What a journal says of a run whose process is gone. */
export interface ResumeState {
  readonly run: string | null;
  /** Output of every step that succeeded. Sensitive values in it are redacted, as the journal has them. */
  readonly outputs: ReadonlyMap<string, unknown>;
  /** How every step ended that did end, or was left out. */
  readonly ended: ReadonlyMap<string, EventOf<'step.finished'>['data']['status'] | 'skipped'>;
  /** Steps that had begun and not ended: what they did is not known. Several in parallel branches. */
  readonly interrupted: readonly string[];
  readonly fault: EventOf<'fault.sent'> | null;
  /** The last registered first. */
  readonly pending: readonly PendingCleanup[];
  readonly world: LiveWorld;
  readonly verified: boolean;
  readonly cancelled: boolean;
  /** `run.finished` stands there: nothing is left to resume. */
  readonly finished: boolean;
}

export function resumeState(events: readonly DrillEvent[]): ResumeState {
  const outputs = new Map<string, unknown>();
  const ended = new Map<string, EventOf<'step.finished'>['data']['status'] | 'skipped'>();
  const begun = new Set<string>();
  let run: string | null = null;
  let fault: EventOf<'fault.sent'> | null = null;
  const seen = new Set<DrillEvent['type']>();
  for (const event of events) {
    seen.add(event.type);
    if (event.type === 'run.started') run = event.data.run;
    if (event.type === 'fault.sent') fault ??= event;
    if (event.step === undefined) continue;
    if (event.type === 'step.started') begun.add(event.step);
    else if (event.type === 'step.skipped') ended.set(event.step, 'skipped');
    else if (event.type === 'step.finished') {
      begun.delete(event.step);
      ended.set(event.step, event.data.status);
      if (event.data.status === 'succeeded') outputs.set(event.step, event.data.output);
    }
  }
  return {
    run,
    outputs,
    ended,
    interrupted: [...begun],
    fault,
    pending: pendingCleanups(events),
    world: worldFromEvents(events),
    verified: seen.has('verification.ended'),
    cancelled: seen.has('cancel.requested'),
    finished: seen.has('run.finished'),
  };
}
