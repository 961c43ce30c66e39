import type { BaseContext, StepContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { clusters, readCluster, withFence, withoutFence, type ClusterFacts } from './cluster.js';
import { referenceOf } from './inputs.js';

interface Fenced {
  readonly kubernetes: string;
  readonly cluster: string;
  readonly namespace?: string;
  readonly instance: string;
}

/** Somebody else may change the same list: it is then read again. */
const tries = 10;

/** Fences an instance after `check` has let it through; its lifting is registered before. True when it was fenced already: then nothing is done or undone. */
export async function addFence(input: Fenced, ctx: StepContext, check: (facts: ClusterFacts) => void): Promise<boolean> {
  const cluster = ctx.ports.kubernetes.cluster(input.kubernetes);
  const facts = readCluster(await cluster.get({ ...clusters, ...referenceOf(input) }));
  check(facts);
  if (withFence(facts, input.instance) === undefined) return true;
  if (!facts.healthy.includes(input.instance) && !facts.reported.has(input.instance)) throw new StepError('no-such-instance', `the Cluster ${facts.name} has no instance ${input.instance}`);
  const cleanup = await ctx.defer({ uses: 'cnpg.fence/lift', with: { kubernetes: input.kubernetes, namespace: facts.namespace, cluster: facts.name, instance: input.instance } });
  await cleanup.confirm({ uid: facts.uid });
  await change(input, ctx, facts.uid, (now) => {
    check(now);
    return withFence(now, input.instance);
  });
  return false;
}

/** Takes the fence off an instance; false when it had none. With `uid`: only of that Cluster, and none is needed when it is gone. */
export async function liftFence(input: Fenced, ctx: BaseContext, uid?: string): Promise<boolean> {
  const found = await ctx.ports.kubernetes.cluster(input.kubernetes).find({ ...clusters, ...referenceOf(input) });
  if (found === undefined || (uid !== undefined && found.metadata.uid !== uid)) {
    if (uid === undefined) throw new StepError('no-such-cluster', `there is no Cluster ${input.cluster}`);
    return false;
  }
  return change(input, ctx, found.metadata.uid ?? '', (facts) => withoutFence(facts, input.instance));
}

/** Reads, changes the annotation and writes, as long as nobody else wrote in between. False when there was nothing to change. */
async function change(input: Fenced, ctx: BaseContext, uid: string, annotations: (facts: ClusterFacts) => Record<string, string | null> | undefined): Promise<boolean> {
  const cluster = ctx.ports.kubernetes.cluster(input.kubernetes);
  for (let left = tries; ; left -= 1) {
    const facts = readCluster(await cluster.get({ ...clusters, ...referenceOf(input) }));
    const wanted = annotations(facts);
    if (wanted === undefined) return false;
    try {
      await cluster.patch({ ...clusters, ...referenceOf(input) }, { metadata: { resourceVersion: facts.revision, annotations: wanted } }, { uid });
      return true;
    } catch (error) {
      if (left === 1 || !(error instanceof StepError) || error.code !== 'k8s-conflict') throw error;
    }
  }
}
