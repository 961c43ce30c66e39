import type { BaseContext } from '../../../engine/define-step.js';
import { runLabel, runMark } from '../../../engine/mark.js';
import { clusters } from './cluster.js';

/** What the operator makes for a Cluster and the garbage collector takes after it. */
const dependents = ['pods', 'persistentvolumeclaims'] as const;

/** Deletes the Cluster that this run has made, by its uid, and waits until its pods and volume claims are gone too. */
export async function removeCluster(data: Record<string, unknown>, identity: Record<string, unknown> | undefined, ctx: BaseContext): Promise<void> {
  const [namespace, name] = [String(data['namespace']), String(data['cluster'])];
  const cluster = ctx.ports.kubernetes.cluster(String(data['kubernetes']));
  const reference = { ...clusters, namespace, name };
  const uid = typeof identity?.['uid'] === 'string' ? identity['uid'] : undefined;
  const found = await cluster.find(reference);
  // Without an identity the call may have got through before we died: the label says whose it is.
  const isOurs = found !== undefined && (uid === undefined ? found.metadata.labels?.[runLabel] === runMark(ctx.runId) : found.metadata.uid === uid);
  if (found !== undefined && !isOurs) return ctx.log(`cluster ${namespace}/${name} is another one by now, and is left alone`);
  if (found !== undefined) {
    await cluster.delete(reference, { uid: found.metadata.uid ?? '', propagation: 'Foreground' });
    await cluster.until(reference, (object) => (object === undefined || object.metadata.uid !== found.metadata.uid ? true : undefined), ctx.signal);
  }
  const owner = found?.metadata.uid ?? uid;
  if (owner === undefined) return;
  for (const kind of dependents) {
    for (;;) {
      const { items } = await cluster.list({ kind, apiVersion: 'v1', namespace }, { labelSelector: `cnpg.io/cluster=${name}`, metadataOnly: true });
      const left = items.filter(({ metadata }) => metadata.ownerReferences?.some((reference) => reference.uid === owner) === true);
      if (left.length === 0) break;
      await ctx.clock.sleep(200, ctx.signal);
    }
  }
}
