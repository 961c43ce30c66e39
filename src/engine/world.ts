import type { PlanBinding } from './plan-document.js';
import type { DrillEvent } from './events.js';

/** A connection that a provisioner has made real; adapters work from `details` (JSON, no secrets). */
export interface WorldConnection {
  readonly kind: string;
  readonly role: 'production' | 'source' | 'target';
  readonly provision: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface WorldEndpoint {
  readonly host: string;
  readonly port: number;
  /** The connection behind it now; null when it leads nowhere or we do not know. */
  readonly to: string | null;
}

/**
 * What this run has made real so far. Provisioners feed it through events only, so that another process can
 * rebuild it from the journal with `worldFromEvents`.
 */
export interface World {
  readonly connections: ReadonlyMap<string, WorldConnection>;
  readonly endpoints: ReadonlyMap<string, WorldEndpoint>;
  /**
   * The endpoint adapter calls it immediately BEFORE it moves an endpoint: journals `endpoint.switched`, flushed, and
   * then holds the new connection as `to`. `step` is the scope's `who`. Throws RangeError for an unknown endpoint.
   */
  announceSwitch(endpoint: string, to: string, step?: string): Promise<void>;
}

export type EndpointSpec = PlanBinding['environment']['endpoints'][string];

/** Opens the addresses of an environment: for `forwarder` a listening TCP forwarder, for `existing` the given address. */
export interface EndpointOpener {
  /** Resolves once clients can connect. The connections of `world` are already provisioned; `spec.to` may be null. */
  open(name: string, spec: EndpointSpec, world: World): Promise<{ readonly host: string; readonly port: number }>;
  /** Closes every endpoint that it opened. Safe to call twice. */
  close(): Promise<void>;
}

/** A world that follows events. `record` journals a switch; without it (plan, cleanup) a switch is only remembered. */
export class LiveWorld implements World {
  readonly #connections = new Map<string, WorldConnection>();
  readonly #endpoints = new Map<string, WorldEndpoint>();
  readonly connections: ReadonlyMap<string, WorldConnection> = this.#connections;
  readonly endpoints: ReadonlyMap<string, WorldEndpoint> = this.#endpoints;

  constructor(private readonly record?: (data: { endpoint: string; from: string | null; to: string }, step: string | undefined) => Promise<unknown>) {}

  /** Takes in connection.provisioned, endpoint.opened and endpoint.switched; other events change nothing. */
  apply(event: Pick<DrillEvent, 'type' | 'data'>): void {
    const { type, data } = event as DrillEvent;
    if (type === 'connection.provisioned') this.#connections.set(data.connection, { kind: data.kind, role: data.role as WorldConnection['role'], provision: data.provision, details: data.details });
    else if (type === 'endpoint.opened') this.#endpoints.set(data.endpoint, { host: data.host, port: data.port, to: data.to });
    else if (type === 'endpoint.switched') {
      const endpoint = this.#endpoints.get(data.endpoint);
      if (endpoint !== undefined) this.#endpoints.set(data.endpoint, { ...endpoint, to: data.to });
    }
  }

  async announceSwitch(endpoint: string, to: string, step?: string): Promise<void> {
    const current = this.#endpoints.get(endpoint);
    if (current === undefined) throw new RangeError(`no endpoint ${endpoint} is open`);
    await this.record?.({ endpoint, from: current.to, to }, step);
    this.#endpoints.set(endpoint, { ...current, to });
  }
}

/** The world as a journal tells it. */
export function worldFromEvents(events: Iterable<DrillEvent>): LiveWorld {
  const world = new LiveWorld();
  for (const event of events) world.apply(event);
  return world;
}
