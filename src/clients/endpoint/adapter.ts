import { StepError } from '../../engine/errors.js';
import type { Scope } from '../../engine/scope.js';
import type { World, WorldEndpoint } from '../../engine/world.js';
import { addressOf, type Endpoints } from './endpoints.js';
import type { EndpointPort } from './port.js';

/** The run's endpoints as `scope` may use them. */
export function endpointPort(scope: Scope, world: World, endpoints: Endpoints): EndpointPort {
  const known = (name: string): WorldEndpoint => {
    const endpoint = world.endpoints.get(name);
    if (endpoint === undefined) throw new StepError('no-such-endpoint', `there is no open endpoint ${JSON.stringify(name)}`);
    return endpoint;
  };
  return {
    address(name) {
      const { host, port } = known(name);
      return { host, port };
    },
    current: (name) => known(name).to,
    async switch(name, connection) {
      known(name);
      const forwarder = endpoints.forwarder(name);
      if (forwarder === undefined) {
        throw new StepError('endpoint-not-ours', `endpoint ${name} is not one that Muster can move`, { hint: 'Move it with a step of your own (exec, http, manual), or use a forwarder.' });
      }
      const address = addressOf(world, connection);
      if (address === null) throw new StepError('no-such-connection', `endpoint ${name} cannot lead to ${JSON.stringify(connection)}: nothing with an address is provisioned under that name`);
      await scope.access({ kind: 'endpoint', endpoint: name, to: connection }, 'modify');
      await world.announceSwitch(name, connection, scope.who);
      forwarder.lead(address);
    },
  };
}
