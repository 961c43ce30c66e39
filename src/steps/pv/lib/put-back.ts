import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import type { Pause } from './owners.js';
import { resumeAll } from './owners.js';
import { rebind, type Binding } from './rebind.js';

const tries = 3;

/** The cleanup of pv.swap, from its journaled data alone: another process may do it, from wherever the first left off. */
export async function putBack(data: Record<string, unknown>, ctx: BaseContext): Promise<void> {
  const { kubernetes, aws, before, policy, pauses } = data as { readonly kubernetes: string; readonly aws: string; readonly before: Binding; readonly policy: string; readonly pauses: readonly Pause[] };
  const cluster = ctx.ports.kubernetes.cluster(kubernetes);
  const ec2 = ctx.ports.ec2.of(aws);
  for (let turn = 1; ; turn += 1) {
    try {
      await rebind(cluster, ec2, before, ctx);
      break;
    } catch (error) {
      if (!(error instanceof StepError) || error.code !== 'scaled-back-up' || turn === tries) throw error;
      ctx.log(`${error.message}; once more`);
    }
  }
  const { name } = before.volume.metadata;
  if (policy !== 'Retain') await cluster.patch({ kind: 'PersistentVolume', name }, { spec: { persistentVolumeReclaimPolicy: policy } });
  await resumeAll(cluster, pauses);
}
