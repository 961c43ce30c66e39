import type { BaseContext } from '../../../engine/define-step.js';
import { knownText } from '../../../engine/plannable.js';
import { clusters, readCluster, type ClusterFacts } from './cluster.js';

/** The Cluster of a step's input for its preflight; undefined while the input waits for the run. */
export async function knownCluster({ kubernetes, cluster, namespace }: { readonly kubernetes?: unknown; readonly cluster?: unknown; readonly namespace?: unknown }, ctx: Pick<BaseContext, 'ports'>): Promise<ClusterFacts | undefined> {
  const [connection, name, place] = [knownText(kubernetes), knownText(cluster), knownText(namespace)];
  if (connection === undefined || name === undefined || (namespace !== undefined && place === undefined)) return undefined;
  return readCluster(await ctx.ports.kubernetes.cluster(connection).get({ ...clusters, name, ...(place === undefined ? {} : { namespace: place }) }));
}
