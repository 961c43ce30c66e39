import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { Aws, defaultEvery, Every, VolumeId } from './lib/inputs.js';
import { anyVolume, checkRight, ec2Of } from './lib/preflight.js';
import { ec2Rights } from './lib/rights.js';
import { untilVolume } from './lib/volumes.js';

export const step = defineStep({
  type: 'ec2.delete-volume',
  summary: 'Deletes a volume that this run has made, and waits until it is gone. Any other is refused, by its tags.',
  input: Type.Object({ aws: Aws, volume: VolumeId('That a step of this run made'), every: Type.Optional(Every) }, strict),
  output: Type.Object({}, strict),
  effect: 'destroy',
  changes: (input) => [{ system: `aws:${inWords(membersOf(input).aws)}`, object: `volume ${inWords(membersOf(input).volume)}` }],
  permissions: (input) => ec2Rights(membersOf(input).aws, 'DeleteVolume', 'DescribeVolumes'),
  evidence: [],
  examples: [{ title: 'A volume that served its purpose', with: { aws: 'aws', volume: 'vol-0123456789abcdef0' } }],
  plan(input) {
    const { volume } = membersOf(input);
    return { does: `Deletes ${inWords(volume)}, if this run made it`, calls: ['ec2:DeleteVolume'] };
  },
  async preflight(input, ctx) {
    const ec2 = ec2Of(membersOf(input).aws, ctx);
    const volume = await anyVolume(ec2);
    return [await checkRight(ec2, 'DeleteVolume', volume === undefined ? undefined : { action: 'DeleteVolume', volume })];
  },
  async run({ aws, volume, every = defaultEvery }, ctx) {
    const ec2 = ctx.ports.ec2.of(aws);
    await ec2.change({ action: 'DeleteVolume', volume });
    await untilVolume(ec2, volume, 'deleted', every, ctx);
    return {};
  },
});
