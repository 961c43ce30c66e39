import type { Facts } from './facts.js';
import type { Fault } from './fault.js';

/** What the journal says about where an endpoint leads. */
export interface EndpointMoves {
  /** The connection behind it when the fault was sent. */
  readonly atFault: string | null;
  /** The connection behind it at the end. */
  readonly atEnd: string | null;
  /** When it was first switched after the fault. */
  readonly first: bigint | null;
  /** The same for the last switch. */
  readonly last: bigint | null;
}

/** A switch is journaled before the address moves: what was acknowledged earlier came from the store that it left. */
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
    const moment = facts.moment(line);
    if (!moment) continue;
    first ??= moment.position;
    last = moment.position;
  }
  return { atFault, atEnd, first, last };
}
