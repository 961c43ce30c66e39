import type { PlanProbe } from '../plan-document.js';
import type { EndpointMoves } from './endpoints.js';
import type { EventOf } from '../events.js';
import type { Facts } from './facts.js';
import { fromMs, later, said, toMs } from './time.js';
import type { Moment } from './timeline.js';

/** Positions on the run's axis. There are many of them: what else is to be known of one stands in its event. */
interface Sample {
  readonly sent: bigint;
  readonly done: bigint;
  readonly healthy: boolean;
  readonly event: EventOf<'probe.sample'>;
  readonly segment: number;
}

export interface Gap {
  readonly start: bigint;
  readonly end: bigint;
}

/** What one availability probe says about the recovery. Positions are on the run's axis. */
export interface Availability {
  readonly probe: string;
  readonly endpoint: string | null;
  /** `done` of the first sample of the unbroken healthy run; the fault itself where a planned switch was never noticed. */
  readonly restored: Moment | null;
  /** The end of the first sample after the last gap within the healthy run, where it is later. */
  readonly restoredUpper: bigint | null;
  readonly firstFailed: Moment | null;
  readonly gaps: readonly Gap[];
  readonly controlled: boolean;
  /** Still failing when the verification ended. */
  readonly down: boolean;
  readonly why: string | null;
}

/** Five in a row before the fault show that the service was there to lose. */
const baseline = 5;

function readSamples(facts: Facts, probe: string): { samples: Sample[]; endpoints: ReadonlySet<string>; controlled: boolean } {
  const samples: Sample[] = [];
  const endpoints = new Set<string>();
  let controlled = false;
  for (const line of facts.samples('probe.sample', probe)) {
    const { event, segment } = line;
    const { data } = event;
    if (data.control !== null) controlled = true;
    const sent = facts.instant(line, data.sent);
    const done = facts.instant(line, data.done);
    // The runner's own outage, or a sample that ends before it began, tells nothing about the service.
    if (data.control === false || !sent || !done || done.position < sent.position) continue;
    samples.push({ sent: sent.position, done: done.position, healthy: data.read && data.write, event, segment });
    endpoints.add(data.endpoint);
  }
  samples.sort((a, b) => (a.done < b.done ? -1 : a.done > b.done ? 1 : 0));
  return { samples, endpoints, controlled };
}

function gapsOf(samples: readonly Sample[], everyMs: number, from: bigint, to: bigint): Gap[] {
  const every = fromMs(everyMs);
  const longest = later(3n * every, every + fromMs(1000));
  const gaps: Gap[] = [];
  let until = from;
  const take = (sent: bigint, done: bigint): void => {
    if (done < from || sent > to) return;
    if (sent - until > longest) gaps.push({ start: until, end: sent });
    until = later(until, done);
  };
  for (const { sent, done } of samples.toSorted((a, b) => (a.sent < b.sent ? -1 : a.sent > b.sent ? 1 : 0))) take(sent, done);
  take(to, to);
  return gaps;
}

function baselineHeld(samples: readonly Sample[], fault: bigint): boolean {
  let run = 0;
  for (const sample of samples) {
    if (sample.done >= fault) break;
    run = sample.healthy ? run + 1 : 0;
    if (run >= baseline) return true;
  }
  return false;
}

/**
 * @param watched from when on samples must follow each other: the fault, or the line that marks a scenario's earlier time
 * @param moves when the endpoint was pointed elsewhere after the fault. Samples sent before the last time may still have
 *   reached the store that it left; the first time ends connections, so what fails from then on does not show the fault.
 */
export function assessAvailability(facts: Facts, probe: PlanProbe, fault: Moment, watched: bigint, ended: Moment, moves: Pick<EndpointMoves, 'first' | 'last'>): Availability {
  const moved = moves.last;
  const { samples, endpoints, controlled } = readSamples(facts, probe.id);
  const gaps = gapsOf(samples, probe.everyMs, watched, ended.position);
  const endpoint = endpoints.size === 1 ? ([...endpoints][0] ?? null) : null;
  const kind = facts.plan.binding.fault;
  const after = samples.filter(({ done }) => done > fault.position && done <= ended.position);
  const failed = after.find(({ healthy }) => !healthy);
  const momentOf = (sample: Sample | undefined, end: 'sent' | 'done') => (sample === undefined ? null : facts.instant(sample, sample.event.data[end]));
  const firstFailed = failed && failed.sent < fault.position ? fault : momentOf(failed, 'sent');
  const result = { probe: probe.id, endpoint, firstFailed, gaps, controlled };
  const not = (why: string, down = false): Availability => ({ ...result, restored: null, restoredUpper: null, down, why: `${probe.id}: ${why}` });

  if (samples.length === 0) return not('it delivered no sample');
  if (endpoints.size > 1) return not('its samples name several endpoints');
  if (after.length === 0) return not('it delivered no sample between the fault and the end of the verification');
  if (kind !== 'declared' && !baselineHeld(samples, fault.position)) return not(`it does not show ${baseline} healthy samples in a row before the fault`);
  const lastFailed = after.findLastIndex(({ healthy }) => !healthy);
  if (lastFailed === after.length - 1) return not('the service was not healthy at the end of the verification', true);
  if (!failed && kind === 'injected') return not('its clients never noticed the fault, so recovery was not exercised');
  if (kind === 'injected' && failed && moves.first !== null && failed.done > moves.first) return not('its clients noticed nothing before the endpoint was switched, so recovery was not exercised');
  if (!failed && kind === 'declared' && moved === null) return not('its endpoint never failed and was not switched, so it does not show the restored copy');
  const run = after.slice(lastFailed + 1).filter(({ sent }) => moved === null || sent >= moved);
  const untouched = !failed && kind === 'planned' && moved === null;
  const restored = untouched ? fault : momentOf(run[0], 'done');
  if (!restored) return not('no healthy sample was sent after the endpoint was switched');
  const stable = facts.plan.binding.environment.stableForMs;
  if (ended.position - restored.position < fromMs(stable)) {
    return not(`the service was healthy for ${said(toMs(ended.position - restored.position))} at the end of the verification, ${said(stable)} are demanded`);
  }
  // After a gap the service is known to be healthy only from the end of the next sample on.
  const known = (gap: Gap): bigint => run.find(({ sent }) => sent >= gap.end)?.done ?? gap.end;
  const restoredUpper = gaps.reduce((upper, gap) => (gap.end > restored.position ? later(upper, known(gap)) : upper), restored.position);
  return { ...result, restored, restoredUpper, down: false, why: null };
}
