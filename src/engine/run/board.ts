import type { SampleEvent } from '../events.js';
import { extendRun, sampleState, type HealthyRun } from '../health.js';

/** What a probe has said so far. */
export interface ProbeState {
  /** null before its first sample, and while its samples prove nothing (the control endpoint fails as well). */
  readonly healthy: boolean | null;
  readonly run: HealthyRun | null;
  /** Ledger rows that were acknowledged. */
  readonly acknowledged: number;
}

const silent: ProbeState = { healthy: null, run: null, acknowledged: 0 };

/** The live state of all probes. Who waits is told of every sample: nothing polls. */
export class ProbeBoard {
  readonly #states = new Map<string, ProbeState>();
  readonly #watchers = new Set<(probe: string) => void>();

  state(probe: string): ProbeState {
    return this.#states.get(probe) ?? silent;
  }

  take(probe: string, event: SampleEvent): void {
    const before = this.state(probe);
    if (event.type === 'probe.sample') {
      const state = sampleState(event.data);
      this.#states.set(probe, { ...before, healthy: state === 'unknown' ? null : state === 'healthy', run: extendRun(before.run, event.data) });
    } else if (event.type === 'ledger.row' && event.data.acked !== null) {
      this.#states.set(probe, { ...before, acknowledged: before.acknowledged + 1 });
    }
    for (const watcher of this.#watchers) watcher(probe);
  }

  /** What was healthy until now no longer counts: the fault was sent, or clients were led elsewhere. */
  beginAnew(): void {
    for (const [probe, state] of this.#states) this.#states.set(probe, { ...state, run: null });
  }

  /** Resolves after the next sample of `probe`; rejects with the signal's reason. */
  next(probe: string, signal: AbortSignal): Promise<void> {
    return this.#when((seen) => seen === probe, signal);
  }

  /** Resolves once `holds` says so: now or after a sample. Rejects with the signal's reason. */
  async until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!holds()) await this.#when(holds, signal);
  }

  #when(holds: (probe: string) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#watchers.delete(watcher);
        signal.removeEventListener('abort', abort);
      };
      const abort = () => {
        end();
        reject(signal.reason);
      };
      const watcher = (probe: string) => {
        if (!holds(probe)) return;
        end();
        resolve();
      };
      if (signal.aborted) return abort();
      this.#watchers.add(watcher);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
