import { messageOf, RefusedError } from '../errors.js';
import type { Takeover } from './request.js';
import type { Runtime } from './runtime.js';

/** On the addresses that clients know. Throws RefusedError, having closed again what it opened, when one cannot be had. */
export async function reopenEndpoints({ request, world }: Runtime): Promise<void> {
  for (const [name, spec] of Object.entries(request.plan.binding.environment.endpoints)) {
    const known = world.endpoints.get(name);
    try {
      await request.endpoints.open(name, known === undefined ? spec : { ...spec, host: known.host, port: known.port, to: known.to }, world);
    } catch (error) {
      await request.endpoints.close();
      throw new RefusedError(`the run cannot be continued: endpoint ${name} cannot be opened again${known === undefined ? '' : ` at ${known.host}:${known.port}`}: ${messageOf(error)}`, [], { cause: error });
    }
  }
}

/** Two processes must never do the same thing at once: what the dead one was waiting for is ended first. */
export async function endInterruptedCommands({ state, endCommands }: Takeover): Promise<void> {
  const cleanups = state.pending.map(({ id }) => `cleanup:${id}`);
  for (const who of [...state.interrupted, ...state.provisioning.map((name) => `provision:${name}`), ...cleanups]) await endCommands(who);
}
