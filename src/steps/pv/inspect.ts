import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { nullable, strict } from '../../engine/schema.js';
import { ec2Rights } from '../ec2/lib/rights.js';
import { volumeThere } from '../ec2/lib/volumes.js';
import { rightOf } from '../k8s/lib/declare.js';
import { readClaim } from './lib/claim.js';
import { Claim, where } from './lib/inputs.js';

export const step = defineStep({
  type: 'pv.inspect',
  summary: 'Says which EBS volume is behind a claim, and where it is.',
  input: Type.Object({ ...where, claim: Claim }, strict),
  output: Type.Object({ volume: Type.String(), zone: Type.String(), persistentVolume: Type.String(), sizeGiB: Type.Number({ description: 'Of the claim' }), volumeSizeGiB: Type.Integer({ description: 'Of the EBS volume: what is made in its place must not be smaller' }), volumeType: Type.String(), fsType: nullable(Type.String()) }, strict),
  effect: 'read',
  changes: () => [],
  permissions(input) {
    const { kubernetes, aws, namespace, claim } = membersOf(input);
    return [rightOf({ kubernetes, namespace, kind: 'PersistentVolumeClaim', name: claim }, ['get']), rightOf({ kubernetes, kind: 'PersistentVolume' }, ['get']), ...ec2Rights(aws, 'DescribeVolumes')];
  },
  evidence: [],
  examples: [{ title: 'The volume of an application', with: { kubernetes: 'cluster', aws: 'aws', namespace: 'shop', claim: 'data' } }],
  plan(input) {
    const { claim } = membersOf(input);
    return { does: `Looks up the volume behind the claim ${inWords(claim)}`, calls: ['get persistentvolumeclaim, persistentvolume', 'ec2:DescribeVolumes'] };
  },
  async run({ kubernetes, aws, namespace, claim }, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(kubernetes);
    const { handle, volume, sizeGiB, fsType } = await readClaim(cluster, namespace ?? cluster.namespace, claim);
    const { zone, type, sizeGiB: volumeSizeGiB } = await volumeThere(ctx.ports.ec2.of(aws), handle);
    ctx.log(`${claim}: ${volume.metadata.name}, ${handle} in ${zone}`);
    return { volume: handle, zone, persistentVolume: volume.metadata.name, sizeGiB, volumeSizeGiB, volumeType: type, fsType };
  },
});
