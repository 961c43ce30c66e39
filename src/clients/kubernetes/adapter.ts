import { StepError } from '../../engine/errors.js';
import { Redactor } from '../../engine/redact.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import type { KubernetesPort } from './port.js';

/** What the adapters of all scopes of one process share. */
export interface KubernetesShared {
  /** Gets every credential before it is used. */
  readonly secrets: Pick<Redactor, 'add'>;
}

export function kubernetesShared(secrets: KubernetesShared['secrets'] = new Redactor()): KubernetesShared {
  return { secrets };
}

/** Kubernetes as `scope` may use it. */
export function kubernetesPort(_scope: Scope, _world: World, _shared: KubernetesShared): KubernetesPort {
  return {
    cluster(connection) {
      throw new StepError('no-such-connection', `no connection ${connection} of kind kubernetes is provisioned`);
    },
  };
}
