import type { KubernetesObject } from '../../../clients/kubernetes/port.js';
import type { CleanupDefinition, StepContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { nameOf, sameObject, storedObject, storedReference, uidOf } from './objects.js';

/** Registers that the object gets back what it had, before it is changed. `back` is a merge patch; it stands in the journal. */
export async function deferRestore(ctx: StepContext, kubernetes: string, object: KubernetesObject, back: Readonly<Record<string, unknown>>, subresource?: string): Promise<void> {
  refuseSecretValues(object, back);
  const cleanup = await ctx.defer({ uses: 'k8s.patch/restore', with: { kubernetes, ...storedReference(object), patch: { ...back }, ...(subresource === undefined ? {} : { subresource }) } });
  await cleanup.confirm({ uid: uidOf(object) });
}

/** Throws StepError `k8s-secret`: what is registered to be put back stands in the journal, and so in the bundle. */
export function refuseSecretValues(object: KubernetesObject, back: Readonly<Record<string, unknown>>): void {
  if (object.kind === 'Secret' && ('data' in back || 'stringData' in back)) throw new StepError('k8s-secret', `${nameOf(object)}: what it held before would have to stand in the journal`, { hint: 'Use a Secret of its own for the drill.' });
}

export const restore: CleanupDefinition = {
  summary: 'Gives the object back what it had before the drill changed it',
  async run(data, identity, ctx) {
    const { connection, reference } = storedObject(data);
    const uid = identity?.['uid'];
    // Nothing was changed before its identity was noted.
    if (typeof uid !== 'string') return;
    const cluster = ctx.ports.kubernetes.cluster(connection);
    if ((await sameObject(cluster, reference, uid)) === undefined) return;
    const { subresource } = data;
    await cluster.patch(reference, data['patch'], { uid, ...(typeof subresource === 'string' ? { subresource } : {}) });
  },
};
