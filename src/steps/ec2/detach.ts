import { Type } from 'typebox';
import { defineStep, type BaseContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../engine/plannable.js';
import { nullable, strict } from '../../engine/schema.js';
import { sendUntil } from './lib/ask.js';
import { Aws, defaultEvery, Every, VolumeId } from './lib/inputs.js';
import { checkRight, ec2Of } from './lib/preflight.js';
import { ec2Rights } from './lib/rights.js';
import { untilVolume, volumeThere } from './lib/volumes.js';

export const step = defineStep({
  type: 'ec2.detach',
  summary: 'Detaches a volume from whatever instance holds it and waits until it is available. It is attached there again after the drill.',
  input: Type.Object(
    { aws: Aws, volume: VolumeId('To detach'), force: Type.Optional(Type.Boolean({ default: false, description: 'Without waiting for the instance, which loses what it has not written: a fault, not a way to move data' })), every: Type.Optional(Every) },
    strict,
  ),
  output: Type.Object({ instance: nullable(Type.String()), device: nullable(Type.String()) }, strict),
  effect: 'modify',
  changes: (input) => [{ system: `aws:${inWords(membersOf(input).aws)}`, object: `volume ${inWords(membersOf(input).volume)}` }],
  permissions: (input) => ec2Rights(membersOf(input).aws, 'DetachVolume', 'AttachVolume', 'DescribeVolumes', 'DescribeInstances'),
  evidence: [],
  examples: [{ title: 'Lose a volume while it is in use', with: { aws: 'aws', volume: 'vol-0123456789abcdef0', force: true } }],
  cleanups: { attach: { summary: 'Attaches the volume where it was', timeoutMs: 600_000, run: (data, _identity, ctx) => giveBack(data, ctx) } },
  plan(input) {
    const { volume, force } = membersOf(input);
    return { does: `Detaches ${inWords(volume)}${force === true ? ' by force' : ''}`, calls: ['ec2:DetachVolume'], undo: ['ec2:AttachVolume, where it was'] };
  },
  async preflight(input, ctx) {
    const { aws, volume } = membersOf(input);
    const ec2 = ec2Of(aws, ctx);
    const id = knownText(volume);
    const held = id === undefined ? undefined : (await ec2.volume(id))?.attachments[0];
    return [
      await checkRight(ec2, 'DetachVolume', id === undefined || held === undefined ? undefined : { action: 'DetachVolume', volume: id, instance: held.instance }),
      await checkRight(ec2, 'AttachVolume', id === undefined || held === undefined ? undefined : { action: 'AttachVolume', volume: id, instance: held.instance, device: held.device }),
    ];
  },
  async run({ aws, volume: id, force = false, every = defaultEvery }, ctx) {
    const ec2 = ctx.ports.ec2.of(aws);
    const { attachments, state } = await volumeThere(ec2, id);
    const [held, ...others] = attachments.filter((attachment) => attachment.state !== 'detached');
    if (others.length > 0) throw new StepError('several-attachments', `the volume ${id} is attached to ${attachments.map(({ instance }) => instance).join(' and ')}`, { hint: 'A volume that several instances write is not detached by one step.' });
    if (held === undefined) {
      if (state !== 'available') throw new StepError('volume-not-attached', `the volume ${id} is ${state}, and no instance holds it`);
      return { instance: null, device: null };
    }
    await ctx.defer({ uses: 'ec2.detach/attach', with: { aws, volume: id, instance: held.instance, device: held.device } });
    await ec2.change({ action: 'DetachVolume', volume: id, instance: held.instance, force });
    await untilVolume(ec2, id, 'available', every, ctx);
    return { instance: held.instance, device: held.device };
  },
});

async function giveBack({ aws, volume, instance, device }: Record<string, unknown>, ctx: BaseContext): Promise<void> {
  const ec2 = ctx.ports.ec2.of(String(aws));
  const id = String(volume);
  const found = await sendUntil(() => ec2.volume(id), ctx);
  // Whoever has it now, or has deleted it, was not this step.
  if (found === undefined || found.attachments.some(({ state }) => state !== 'detached' && state !== 'detaching')) return;
  await untilVolume(ec2, id, 'available', '1s', ctx);
  await sendUntil(() => ec2.change({ action: 'AttachVolume', volume: id, instance: String(instance), device: String(device) }), ctx);
  await untilVolume(ec2, id, 'in-use', '1s', ctx);
}
