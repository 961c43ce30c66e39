import { StepError } from '../../engine/errors.js';
import type { EndpointOpener, EndpointSpec, World } from '../../engine/world.js';
import { openForwarder, type Address, type Forwarder } from './forwarder.js';

/** Where a connection's server listens; null when it is not provisioned or has no address. */
export function addressOf(world: World, connection: string | null): Address | null {
  const details = connection === null ? undefined : world.connections.get(connection)?.details;
  const { host, port } = details ?? {};
  return typeof host === 'string' && typeof port === 'number' ? { host, port } : null;
}

/** The endpoints of one run: forwarders of ours, and addresses that somebody else moves. */
export class Endpoints implements EndpointOpener {
  readonly #forwarders = new Map<string, Forwarder>();

  async open(name: string, spec: EndpointSpec, world: World): Promise<Address> {
    if (spec.provision === 'existing') {
      if (spec.host !== null && spec.port !== null) return { host: spec.host, port: spec.port };
      const behind = addressOf(world, spec.to);
      if (behind === null) throw new StepError('endpoint-without-address', `endpoint ${name} is "existing" and needs host and port, or a connection with an address in \`to\``);
      return behind;
    }
    const wanted = { ...(spec.host === null ? {} : { host: spec.host }), ...(spec.port === null ? {} : { port: spec.port }) };
    const forwarder = await openForwarder(wanted, addressOf(world, spec.to));
    this.#forwarders.set(name, forwarder);
    return { host: forwarder.host, port: forwarder.port };
  }

  /** The forwarder of that name, if this process holds it. */
  forwarder(name: string): Forwarder | undefined {
    return this.#forwarders.get(name);
  }

  async close(): Promise<void> {
    const open = [...this.#forwarders.values()];
    this.#forwarders.clear();
    await Promise.all(open.map((forwarder) => forwarder.close()));
  }
}
