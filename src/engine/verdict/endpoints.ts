import type { Facts } from './facts.js';
import type { Fault } from './fault.js';

/** What the journal says about where an endpoint leads. */
export interface EndpointMoves {
  /** The connection behind it when the fault was sent. */
  readonly atFault: string | null;
  /** The connection behind it at the end. */
  readonly atEnd: string | null;
  /** Start of the step that switched it first after the fault (the switch itself where no step did). */
  readonly first: bigint | null;
  /** The same for the last switch. */
  readonly last: bigint | null;
}

/** A switch lasts from the start of its step: what a client saw before that came from the store that it left. */
export function endpointMoves(facts: Facts, endpoint: string, fault: Fault): EndpointMoves {
  let atFault: string | null = facts.plan.binding.environment.endpoints[endpoint]?.to ?? null;
  let atEnd = atFault;
  let first: bigint | null = null;
  let last: bigint | null = null;
  const lines = [...facts.of('endpoint.opened'), ...facts.of('endpoint.switched')].filter(({ event }) => event.data.endpoint === endpoint).sort((a, b) => a.index - b.index);
  for (const line of lines) {
    atEnd = line.event.data.to;
    if (line.index < fault.line.index) atFault = atEnd;
    if (line.event.type !== 'endpoint.switched' || line.index < fault.line.index) continue;
    const step = line.event.step;
    const started = step === undefined ? undefined : facts.of('step.started').findLast((start) => start.event.step === step && start.index < line.index);
    const moment = facts.moment(started ?? line);
    if (!moment) continue;
    first ??= moment.position;
    last = moment.position;
  }
  return { atFault, atEnd, first, last };
}
