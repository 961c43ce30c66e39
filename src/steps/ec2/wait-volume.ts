import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { askUntil } from './lib/ask.js';
import { Aws, defaultEvery, Every, VolumeId } from './lib/inputs.js';
import { ec2Rights } from './lib/rights.js';
import { untilVolume } from './lib/volumes.js';

export const step = defineStep({
  type: 'ec2.wait-volume',
  summary: 'Waits until a volume is available, attached, gone or fully loaded. Ends at once when it goes to the state error.',
  input: Type.Object(
    {
      aws: Aws,
      volume: VolumeId('To wait for'),
      until: literals(['available', 'in-use', 'deleted', 'initialized'], { description: '`available` says nothing of its speed: blocks may still be loaded from the snapshot; `initialized`: all are' }),
      every: Type.Optional(Every),
    },
    strict,
  ),
  output: Type.Object({ waitedMs: Type.Number() }, strict),
  effect: 'read',
  changes: () => [],
  permissions: (input) => ec2Rights(membersOf(input).aws, 'DescribeVolumes', ...(membersOf(input).until === 'initialized' ? ['DescribeVolumeStatus'] : [])),
  evidence: [],
  examples: [{ title: 'Until it can be attached', with: { aws: 'aws', volume: 'vol-0123456789abcdef0', until: 'available' } }],
  plan(input) {
    const { volume, until, every } = membersOf(input);
    return { does: `Waits until ${inWords(volume)} is ${inWords(until)}`, calls: [`ec2:DescribeVolumes every ${inWords(every ?? defaultEvery)}`] };
  },
  async run({ aws, volume, until, every = defaultEvery }, ctx) {
    const started = performance.now();
    const ec2 = ctx.ports.ec2.of(aws);
    if (until !== 'initialized') await untilVolume(ec2, volume, until, every, ctx);
    else {
      let last = '';
      await askUntil(async () => {
        const found = await ec2.initialization(volume);
        const said = found === null ? 'EC2 does not say how far it is loaded' : `${found.state}${found.progress === null ? '' : ` ${found.progress} %`}`;
        if (said !== last) ctx.log(said);
        last = said;
        return found?.state === 'completed' ? true : undefined;
      }, every, ctx);
    }
    return { waitedMs: Math.round(performance.now() - started) };
  },
});
