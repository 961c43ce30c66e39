import type { KubernetesCluster } from '../../../clients/kubernetes/port.js';
import type { StepContext } from '../../../engine/define-step.js';
import { messageOf, StepError } from '../../../engine/errors.js';
import { clusters, healthyPhase, inShort, readCluster, type ClusterFacts } from './cluster.js';

/** Phases out of which the operator does not come by itself (CloudNativePG 1.30, api/v1). */
const lost: readonly string[] = ['Cluster is unrecoverable and needs manual intervention', 'Unable to create required cluster objects', 'Cluster cannot proceed to reconciliation due to an unknown plugin being required'];

interface Copy {
  readonly cluster: KubernetesCluster;
  readonly namespace: string;
  readonly name: string;
}

/** Until the operator calls the copy healthy with all its instances. What its pods log goes to the step's log when it fails. */
export async function untilRestored({ cluster, namespace, name }: Copy, ctx: StepContext, signal: AbortSignal, seen: (facts: ClusterFacts) => void): Promise<ClusterFacts> {
  let told = '';
  try {
    return await cluster.until(
      { ...clusters, namespace, name },
      (object) => {
        if (object === undefined) throw new StepError('restore-failed', `the Cluster ${namespace}/${name} is gone`);
        const facts = readCluster(object);
        seen(facts);
        if (told !== inShort(facts)) ctx.log((told = inShort(facts)));
        if (facts.phase !== null && lost.includes(facts.phase)) throw new StepError('restore-failed', `${namespace}/${name}: ${inShort(facts)}`);
        return facts.phase === healthyPhase && facts.instances > 0 && facts.ready === facts.instances && facts.primary !== null && facts.primary === facts.target ? facts : undefined;
      },
      signal,
    );
  } catch (error) {
    if (!ctx.signal.aborted) await logPods({ cluster, namespace, name }, ctx);
    throw error;
  }
}

async function logPods({ cluster, namespace, name }: Copy, ctx: StepContext): Promise<void> {
  try {
    const { items } = await cluster.list({ kind: 'pods', apiVersion: 'v1', namespace }, { labelSelector: `cnpg.io/cluster=${name}`, metadataOnly: true });
    for (const { metadata } of items) {
      const text = await cluster.logs({ namespace, name: metadata.name }, { tailLines: 50 });
      for (const line of text.trimEnd().split('\n')) ctx.log(`${metadata.name}: ${line}`);
    }
  } catch (error) {
    ctx.log(`the logs of its pods could not be read: ${messageOf(error)}`);
  }
}
