import { StepError } from '../../engine/errors.js';
import { Redactor } from '../../engine/redact.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { Client } from './client.js';
import { clusterOf } from './cluster.js';
import type { KubernetesDetails } from './details.js';
import type { KubernetesPort } from './port.js';
import { Session } from './session.js';

/** What the adapters of all scopes of one process share. */
export interface KubernetesShared {
  /** Gets every token before it is used. */
  readonly secrets: Pick<Redactor, 'add'>;
  /** By connection and what it was provisioned as. */
  readonly clients: Map<string, Client>;
}

export function kubernetesShared(secrets: KubernetesShared['secrets'] = new Redactor()): KubernetesShared {
  return { secrets, clients: new Map() };
}

/** Kubernetes as `scope` may use it. */
export function kubernetesPort(scope: Scope, world: World, { secrets, clients }: KubernetesShared): KubernetesPort {
  return {
    cluster(name) {
      const connection = world.connections.get(name);
      if (connection?.kind !== 'kubernetes') throw new StepError('no-such-connection', `no connection ${name} of kind kubernetes is provisioned`);
      const key = JSON.stringify([name, connection.details]);
      const client = clients.get(key) ?? new Client(connection.details as unknown as KubernetesDetails, secrets);
      clients.set(key, client);
      return clusterOf(new Session(scope, client, name, connection.role));
    },
  };
}
