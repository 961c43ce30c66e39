import type { Ports } from '../../src/engine/define-step.js';
import '../../src/clients/ports.js';

/** Ports of which only the given ones may be used. */
export function portsOnly<K extends keyof Ports>(given: Pick<Ports, K>): Ports {
  return new Proxy(given as Pick<Ports, K> & Ports, {
    get(ports, name): unknown {
      if (!(name in ports)) throw new Error(`the port ${String(name)} is not part of this test`);
      return Reflect.get(ports, name);
    },
  });
}
