import type { Phase } from '../engine/define-step.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import { flattenSteps, type Plan, type PlanStep } from '../engine/plan-document.js';

export type StepState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'timed-out' | 'cancelled' | 'skipped';

export interface StepView {
  readonly id: string;
  readonly step: PlanStep;
  state: StepState;
  startedMs: number | null;
  endedMs: number | null;
  /** Failure, retry, why it was skipped, or what a person is asked. */
  note: string | null;
  /** Units that it works on, and how those fared that have ended. */
  readonly units: Map<string, 'running' | 'succeeded' | 'failed'>;
}

export interface ConnectionView {
  readonly name: string;
  readonly provision: string;
  state: 'waiting' | 'running' | 'succeeded';
  startedMs: number | null;
  endedMs: number | null;
}

/** What one availability probe sees. All times are milliseconds of the run's monotonic clock. */
export interface ProbeView {
  readonly id: string;
  healthy: boolean | null;
  /** Start of the present run of equal samples. */
  sinceMs: number | null;
  reads: boolean;
  writes: boolean;
}

/** How the rows of one ledger fare. */
export interface LedgerView {
  readonly id: string;
  acknowledged: number;
  refused: number;
}

/** What the terminal shows, from nothing but the plan and the events. It measures nothing for the verdict. */
export class RunModel {
  readonly steps = new Map<string, StepView>();
  readonly connections = new Map<string, ConnectionView>();
  readonly probes = new Map<string, ProbeView>();
  readonly ledgers = new Map<string, LedgerView>();
  startedMs: number | null = null;
  faultMs: number | null = null;
  verificationEndedMs: number | null = null;
  readonly cleanups = { registered: 0, done: 0, failed: 0 };
  stage: 'starting' | 'provisioning' | 'steps' | 'cleaning' | 'finished' = 'starting';
  cancelled = false;
  /** The step that the last event about a step belongs to. */
  private latest: string | null = null;
  private readonly gates: readonly string[];

  constructor(readonly plan: Plan) {
    const { binding } = plan;
    for (const [name, connection] of Object.entries(binding.environment.connections)) {
      this.connections.set(name, { name, provision: connection.provision, state: 'waiting', startedMs: null, endedMs: null });
    }
    for (const { step } of flattenSteps(binding.steps)) this.addStep(step);
    for (const step of binding.cleanup) this.addStep(step);
    for (const probe of binding.probes) {
      if (probe.samples === 'availability') this.probes.set(probe.id, { id: probe.id, healthy: null, sinceMs: null, reads: false, writes: false });
      if (probe.samples === 'ledger') this.ledgers.set(probe.id, { id: probe.id, acknowledged: 0, refused: 0 });
    }
    this.gates = flattenSteps(binding.steps).filter(({ step }) => step.gate).map(({ step }) => step.id);
  }

  private addStep(step: PlanStep): void {
    this.steps.set(step.id, { id: step.id, step, state: 'waiting', startedMs: null, endedMs: null, note: null, units: new Map() });
  }

  /** The recovery clock at `nowMs`: it stands still while the service is back and every gate has been passed. */
  recovery(nowMs: number): { readonly elapsedMs: number; readonly running: boolean; readonly restored: boolean } | null {
    if (this.faultMs === null) return null;
    const probes = [...this.probes.values()];
    const gates = this.gates.map((id) => this.steps.get(id));
    const back = probes.every((probe) => probe.healthy === true) && gates.every((gate) => gate?.state === 'succeeded');
    const restored = Math.max(...probes.map((probe) => probe.sinceMs ?? Infinity), ...gates.map((gate) => gate?.endedMs ?? Infinity));
    if (back && Number.isFinite(restored) && restored > this.faultMs) return { elapsedMs: restored - this.faultMs, running: false, restored: true };
    return { elapsedMs: (this.verificationEndedMs ?? nowMs) - this.faultMs, running: this.verificationEndedMs === null, restored: false };
  }

  apply(event: DrillEvent): void {
    const ms = milliseconds(event.mono);
    switch (event.type) {
      case 'run.started':
        this.startedMs = ms;
        this.stage = 'provisioning';
        return;
      case 'connection.provisioning':
        this.connection(event.data.connection, { state: 'running', startedMs: ms });
        return;
      case 'connection.provisioned':
        this.connection(event.data.connection, { state: 'succeeded', endedMs: ms });
        return;
      case 'step.started':
        if (this.stage !== 'cleaning') this.stage = 'steps';
        this.step(event, { state: 'running', startedMs: ms, note: null });
        return;
      case 'step.attempt-failed':
        this.step(event, { note: `${event.data.error.message}; next attempt in ${event.data.retryInMs} ms` });
        return;
      case 'step.finished':
        this.step(event, { state: event.data.status, endedMs: ms, note: event.data.error === undefined ? null : event.data.error.message });
        return;
      case 'step.skipped':
        this.step(event, { state: 'skipped', note: event.data.detail });
        return;
      case 'unit.running':
        this.steps.get(event.step ?? '')?.units.set(event.data.unit, 'running');
        return;
      case 'unit.finished':
        this.steps.get(event.step ?? '')?.units.set(event.data.unit, event.data.result === 'succeeded' && event.data.reason === null ? 'succeeded' : 'failed');
        return;
      case 'human.asked':
        this.step(event, { note: `waiting for a person: ${event.data.instructions}` });
        return;
      case 'fault.sent':
        this.faultMs = milliseconds(event.data.instant.mono);
        return;
      case 'probe.sample':
        this.sample(event.data);
        return;
      case 'ledger.row': {
        const ledger = this.ledgers.get(event.data.probe);
        if (ledger !== undefined) ledger[event.data.acked === null ? 'refused' : 'acknowledged'] += 1;
        return;
      }
      case 'verification.ended':
        this.verificationEndedMs = ms;
        return;
      case 'cleanup.deferred':
        this.cleanups.registered += 1;
        return;
      case 'cleanup.started':
        this.stage = 'cleaning';
        return;
      case 'cleanup.finished':
        this.cleanups.done += 1;
        if (!event.data.ok) this.cleanups.failed += 1;
        return;
      case 'cancel.requested':
        this.cancelled = true;
        return;
      case 'run.finished':
        this.stage = 'finished';
        return;
      default:
    }
  }

  private connection(name: string, change: Partial<ConnectionView>): void {
    const view = this.connections.get(name);
    if (view !== undefined) Object.assign(view, change);
  }

  /** It failed, and the drill has gone on: nobody can have it tried again any more. */
  failedForGood(id: string): boolean {
    return this.latest !== id || this.stage === 'cleaning' || this.stage === 'finished';
  }

  private step(event: DrillEvent, change: Partial<StepView>): void {
    const view = event.step === undefined ? undefined : this.steps.get(event.step);
    if (view === undefined) return;
    Object.assign(view, change);
    this.latest = view.id;
  }

  private sample(data: EventOf<'probe.sample'>['data']): void {
    const view = this.probes.get(data.probe);
    if (view === undefined) return;
    const healthy = data.read && data.write;
    if (view.healthy !== healthy) {
      view.healthy = healthy;
      view.sinceMs = milliseconds(data.sent.mono);
    }
    view.reads = data.read;
    view.writes = data.write;
  }
}

/** From process.hrtime in ns as the journal writes it. */
export function milliseconds(mono: string): number {
  return Number(BigInt(mono) / 1_000n) / 1_000;
}

export const phaseTitles: Readonly<Record<Phase | 'cleanup', string>> = {
  prepare: 'Prepare',
  inject: 'Inject the fault',
  detect: 'Detect',
  decide: 'Decide',
  restore: 'Restore',
  cutover: 'Cut over',
  verify: 'Verify',
  cleanup: 'Clean up',
};
