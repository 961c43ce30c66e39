import { Type } from 'typebox';
import type { Ec2, Ec2Change } from '../../clients/ec2/port.js';
import { sha256 } from '../../engine/canonical.js';
import { defineStep, type BaseContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { askUntil, sendUntil } from './lib/ask.js';
import { Aws, defaultEvery, SnapshotId, Tags, Zone } from './lib/inputs.js';
import { noSnapshot, tokenTag } from './lib/names.js';
import { anyVolume, checkRight, ec2Of } from './lib/preflight.js';
import { ec2Rights } from './lib/rights.js';
import { untilVolume } from './lib/volumes.js';


export const step = defineStep({
  type: 'ec2.create-volume',
  summary: 'Makes an EBS volume from a snapshot, with the tags of the drill. It goes after the drill, by its id and its tags.',
  input: Type.Object(
    {
      aws: Aws,
      snapshot: SnapshotId('Where its data comes from'),
      zone: Zone('Availability zone: that of the node which is to mount it'),
      volumeType: Type.Optional(literals(['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard'], { description: "Default: EC2's own" })),
      sizeGiB: Type.Optional(Type.Integer({ minimum: 1, description: "Default: the snapshot's" })),
      iops: Type.Optional(Type.Integer({ minimum: 1 })),
      throughput: Type.Optional(Type.Integer({ minimum: 1, description: 'MiB/s' })),
      encrypted: Type.Optional(Type.Boolean({ description: "Default: as the snapshot, or as the account's default says" })),
      kmsKey: Type.Optional(Type.String({ minLength: 1, description: 'Default: that of the snapshot. No dry run checks it' })),
      initializationRate: Type.Optional(Type.Integer({ minimum: 100, maximum: 300, description: 'MiB/s at which its blocks are loaded, at a price; without it they are loaded when they are first read, and the volume is slow until then' })),
      tags: Type.Optional(Tags('More tags')),
    },
    strict,
  ),
  output: Type.Object({ volume: Type.String(), zone: Type.String(), sizeGiB: Type.Integer() }, strict),
  effect: 'create',
  changes: (input) => [{ system: `aws:${inWords(membersOf(input).aws)}`, object: 'volume *' }],
  permissions: (input) => ec2Rights(membersOf(input).aws, 'CreateVolume', 'TagOnCreate', 'DescribeVolumes', 'DeleteVolume'),
  evidence: ['volume'],
  examples: [{ title: 'In the zone of the node', with: { aws: 'aws', snapshot: 'snap-0123456789abcdef0', zone: 'eu-central-1a', volumeType: 'gp3', initializationRate: 300 } }],
  cleanups: {
    delete: {
      summary: 'Deletes the volume that the step made, once nothing holds it any more',
      timeoutMs: 900_000,
      run: (data, identity, ctx) => removeVolume(data, identity, ctx),
    },
  },
  plan(input) {
    const { aws, snapshot, zone, initializationRate } = membersOf(input);
    const rate = initializationRate === undefined ? '; its blocks are loaded when they are first read' : `; its blocks are loaded at ${inWords(initializationRate)} MiB/s`;
    return { does: `Makes a volume from ${inWords(snapshot)} in ${inWords(zone)} (${inWords(aws)})${rate}`, calls: ['ec2:CreateVolume with a client token, the tag of the boundary and muster-run=<run>'], undo: ['ec2:DeleteVolume, by its id and its tags'] };
  },
  async preflight(input, ctx) {
    const { aws, snapshot, zone, ...more } = membersOf(input);
    const ec2 = ec2Of(aws, ctx);
    const create: Ec2Change = { action: 'CreateVolume', snapshot: knownText(snapshot) ?? noSnapshot, zone: knownText(zone) ?? `${ec2.details.region}a`, token: 'muster-preflight', tags: {}, ...(knownText(more.kmsKey) === undefined ? {} : { kmsKey: knownText(more.kmsKey) ?? '' }) };
    const volume = await anyVolume(ec2);
    const found = [await checkRight(ec2, 'CreateVolume', create), await checkRight(ec2, 'DeleteVolume', volume === undefined ? undefined : { action: 'DeleteVolume', volume })];
    return more.kmsKey === undefined ? found : [...found, { id: 'right to use the key', result: 'could-not-run', detail: 'no dry run checks a KMS key: a volume whose key may not be used goes to the state error' }];
  },
  async run({ aws, snapshot, zone, volumeType, tags = {}, ...more }, ctx) {
    const ec2 = ctx.ports.ec2.of(aws);
    if (!zone.startsWith(ec2.details.region)) throw new StepError('wrong-zone', `the zone ${zone} is not in ${ec2.details.region}`);
    // At most 64 characters, and another one for each try: a volume that went to `error` is not given back again.
    const token = sha256(`${ctx.runId}/${ctx.stepId}/${ctx.clock.now().mono}`).slice(0, 48);
    const cleanup = await ctx.defer({ uses: 'ec2.create-volume/delete', with: { aws, token } });
    const { volume } = await ec2.change({ action: 'CreateVolume', snapshot, zone, token, tags: { ...tags, [tokenTag]: token }, ...(volumeType === undefined ? {} : { type: volumeType }), ...more });
    if (volume === null) throw new StepError('volume-gone', 'EC2 made a volume that it does not know a moment later', { retryable: true });
    await cleanup.confirm({ volume: volume.id });
    if (volume.zone !== zone) throw new StepError('wrong-zone', `the volume ${volume.id} is in ${volume.zone}, not in ${zone}`);
    await ctx.evidence('volume', { connection: aws, volume: volume.id, snapshot: volume.snapshot, zone: volume.zone, type: volume.type, sizeGiB: volume.sizeGiB, encrypted: volume.encrypted });
    ctx.log(`${volume.id} in ${volume.zone}, ${volume.sizeGiB} GiB ${volume.type}`);
    return { volume: volume.id, zone: volume.zone, sizeGiB: volume.sizeGiB };
  },
});

async function removeVolume(data: Record<string, unknown>, identity: Record<string, unknown> | undefined, ctx: BaseContext): Promise<void> {
  const ec2 = ctx.ports.ec2.of(String(data['aws']));
  for (const id of await madeWith(ec2, String(data['token']), identity?.['volume'], ctx)) {
    const gone = await askUntil(async () => {
      const volume = await ec2.volume(id);
      if (volume === undefined || volume.state === 'deleting' || volume.state === 'deleted') return { gone: true };
      // What still holds it is let go by other cleanups, or by the cluster.
      return volume.state === 'in-use' || volume.state === 'creating' ? undefined : { gone: false };
    }, '1s', ctx);
    if (!gone.gone) await sendUntil(() => ec2.change({ action: 'DeleteVolume', volume: id }), ctx);
    await untilVolume(ec2, id, 'deleted', defaultEvery, ctx);
  }
}

async function madeWith(ec2: Ec2, token: string, noted: unknown, ctx: BaseContext): Promise<string[]> {
  const found = await sendUntil(() => ec2.volumes({ tags: { [tokenTag]: token } }), ctx);
  const ids = found.filter(({ state }) => state !== 'deleted').map(({ id }) => id);
  return typeof noted === 'string' && !ids.includes(noted) ? [noted, ...ids] : ids;
}
