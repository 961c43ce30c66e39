import type { Drill } from '../drill.js';
import type { EvidenceOf } from '../kinds/index.js';
import type { Facts } from './facts.js';
import type { Fault } from './fault.js';
import type { Recovery } from './rto.js';
import { toMs } from './time.js';
import type { Moment } from './timeline.js';

type Failover = NonNullable<Drill['failovers']>[number];

interface State {
  readonly data: EvidenceOf<'cluster-state'>;
  readonly seen: Moment;
}

/** States in the order in which news of them came; those whose time is unreadable tell nothing. */
function statesOf(facts: Facts): Map<string, State[]> {
  const states = new Map<string, State[]>();
  const lines = facts.of('evidence.recorded');
  for (const { data, index } of facts.evidence('cluster-state')) {
    const line = lines.find((each) => each.index === index);
    const seen = line === undefined ? null : facts.instant(line, data.seen);
    if (seen !== null) states.set(data.cluster, [...(states.get(data.cluster) ?? []), { data, seen }]);
  }
  for (const own of states.values()) own.sort((a, b) => (a.seen.position < b.seen.position ? -1 : a.seen.position > b.seen.position ? 1 : 0));
  return states;
}

/** From one moment to a later one; null where one of them is missing or the order is another. */
function span(from: Moment | undefined, to: Moment | undefined): number | null {
  return from === undefined || to === undefined || to.position < from.position ? null : toMs(to.position - from.position);
}

function failoverOf(cluster: string, states: readonly State[], fault: Fault, restored: Moment | undefined): Failover {
  const before = states.findLast(({ seen }) => seen.position <= fault.moment.position)?.data;
  const after = states.filter(({ seen }) => seen.position > fault.moment.position);
  const former = before?.primary ?? null;
  const found = (fits: (data: State['data']) => boolean) => (former === null ? -1 : after.findIndex(({ data }) => fits(data)));
  const noticed = found(({ target }) => target !== former);
  const elected = found(({ target }) => target !== null && target !== former);
  const promoted = found(({ primary, target }) => primary !== null && primary !== former && primary === target);
  const whole = promoted < 0 ? undefined : after.slice(promoted).find(({ data }) => data.members > 0 && data.ready === data.members && data.primary === data.target);
  const at = (index: number): Moment | undefined => after[index]?.seen;
  return {
    cluster,
    from: former,
    to: after[promoted]?.data.primary ?? null,
    timelines: [before?.timeline ?? null, states.findLast(({ data }) => data.timeline !== null)?.data.timeline ?? null],
    detectionMs: span(fault.moment, at(noticed)),
    electionMs: span(at(noticed), at(elected)),
    promotionMs: span(at(elected), at(promoted)),
    reconnectionMs: span(at(promoted), restored),
    redundancyMs: span(fault.moment, whole?.seen),
  };
}

/** Absent where no cluster told its state. Facts beside the recovery time: no reason comes from them. */
export function failovers(facts: Facts, fault: Fault | null, recovery: Recovery): Pick<Drill, 'failovers'> {
  const states = statesOf(facts);
  if (states.size === 0 || fault === null || facts.plan.binding.fault === 'declared') return {};
  const restored = recovery.probes.reduce<Moment | undefined>((worst, probe) => (probe.restored !== null && (worst === undefined || probe.restored.position > worst.position) ? probe.restored : worst), undefined);
  return { failovers: [...states].map(([cluster, own]) => failoverOf(cluster, own, fault, restored)) };
}
