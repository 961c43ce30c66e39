import { monoMs } from './clock.js';
import type { EventDataOf } from './events.js';

export type AvailabilitySample = EventDataOf<'probe.sample'>;

/**
 * What one sample says of the service. `unknown`: the control endpoint failed as well, so the outage is the
 * runner's and the sample proves nothing either way.
 */
export function sampleState(sample: AvailabilitySample): 'healthy' | 'failing' | 'unknown' {
  if (sample.read && sample.write) return 'healthy';
  return sample.control === false ? 'unknown' : 'failing';
}

/** An unbroken run of healthy samples of one probe: reads AND writes. */
export interface HealthyRun {
  readonly first: AvailabilitySample;
  readonly last: AvailabilitySample;
  readonly samples: number;
}

/** The run after one more sample; null when that sample ends it. An `unknown` sample neither ends nor lengthens it. */
export function extendRun(run: HealthyRun | null, sample: AvailabilitySample): HealthyRun | null {
  switch (sampleState(sample)) {
    case 'failing':
      return null;
    case 'unknown':
      return run;
    case 'healthy':
      return { first: run?.first ?? sample, last: sample, samples: (run?.samples ?? 0) + 1 };
  }
}

/** How long the run has been seen healthy, in ms: from the first sample's end to the last one's. */
export function healthyForMs(run: HealthyRun | null): number {
  return run === null ? 0 : monoMs(run.first.done, run.last.done);
}
