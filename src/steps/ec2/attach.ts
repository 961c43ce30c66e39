import { Type } from 'typebox';
import { defineStep, type BaseContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { sendUntil } from './lib/ask.js';
import { Aws, defaultEvery, Every, InstanceId, VolumeId } from './lib/inputs.js';
import { checkRight, ec2Of } from './lib/preflight.js';
import { ec2Rights } from './lib/rights.js';
import { untilVolume, volumeThere } from './lib/volumes.js';

export const step = defineStep({
  type: 'ec2.attach',
  summary: 'Attaches a volume to an instance of the same zone and waits until it is. It is detached again after the drill. Never for volumes of a cluster: its CSI driver does that.',
  input: Type.Object({ aws: Aws, volume: VolumeId('To attach'), instance: InstanceId('Where'), device: Type.String({ pattern: '^(/dev/)?[a-z0-9]+$', description: 'Device name: /dev/sdf' }), every: Type.Optional(Every) }, strict),
  output: Type.Object({ device: Type.String() }, strict),
  effect: 'modify',
  changes: (input) => [{ system: `aws:${inWords(membersOf(input).aws)}`, object: `volume ${inWords(membersOf(input).volume)}` }],
  permissions: (input) => ec2Rights(membersOf(input).aws, 'AttachVolume', 'DetachVolume', 'DescribeVolumes', 'DescribeInstances'),
  evidence: [],
  examples: [{ title: 'To look at a restored volume', with: { aws: 'aws', volume: 'vol-0123456789abcdef0', instance: 'i-0123456789abcdef0', device: '/dev/sdf' } }],
  cleanups: { detach: { summary: 'Detaches the volume', timeoutMs: 600_000, run: (data, _identity, ctx) => letGo(data, ctx) } },
  plan(input) {
    const { volume, instance, device } = membersOf(input);
    return { does: `Attaches ${inWords(volume)} to ${inWords(instance)} as ${inWords(device)}`, calls: ['ec2:AttachVolume'], undo: ['ec2:DetachVolume'] };
  },
  async preflight(input, ctx) {
    const { aws, volume, instance, device } = membersOf(input);
    const ec2 = ec2Of(aws, ctx);
    const [of, to] = [knownText(volume), knownText(instance)];
    return [await checkRight(ec2, 'AttachVolume', of === undefined || to === undefined ? undefined : { action: 'AttachVolume', volume: of, instance: to, device: knownText(device) ?? '/dev/sdf' })];
  },
  async run({ aws, volume: id, instance: to, device, every = defaultEvery }, ctx) {
    const ec2 = ctx.ports.ec2.of(aws);
    const [volume, instance] = [await volumeThere(ec2, id), await ec2.instance(to)];
    if (instance === undefined) throw new StepError('no-such-instance', `there is no instance ${to} in this account and region`);
    if (volume.zone !== instance.zone) throw new StepError('wrong-zone', `the volume ${id} is in ${volume.zone}, the instance ${to} in ${instance.zone}`, { hint: 'A volume can only be attached in its own zone: make it from the snapshot there.' });
    if (volume.state !== 'available') throw new StepError('volume-not-available', `the volume ${id} is ${volume.state}`, { retryable: volume.state === 'creating' });
    await ctx.defer({ uses: 'ec2.attach/detach', with: { aws, volume: id, instance: to } });
    await ec2.change({ action: 'AttachVolume', volume: id, instance: to, device });
    await untilVolume(ec2, id, 'in-use', every, ctx);
    return { device };
  },
});

async function letGo({ aws, volume, instance }: Record<string, unknown>, ctx: BaseContext): Promise<void> {
  const ec2 = ctx.ports.ec2.of(String(aws));
  const id = String(volume);
  const found = await sendUntil(() => ec2.volume(id), ctx);
  const held = found?.attachments.find((attachment) => attachment.instance === instance && attachment.state !== 'detached');
  if (held === undefined) return;
  if (held.state !== 'detaching') await sendUntil(() => ec2.change({ action: 'DetachVolume', volume: id, instance: String(instance) }), ctx);
  await untilVolume(ec2, id, 'available', '1s', ctx);
}
