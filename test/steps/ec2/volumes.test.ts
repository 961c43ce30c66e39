import { CreateSnapshotCommand, CreateVolumeCommand, DescribeTagsCommand, DescribeVolumesCommand, RunInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startAws, type Aws } from '../../components/aws.js';
import { ec2Error } from '../../components/aws-proxy.js';
import { requireComponent } from '../../components/index.js';
import { motoComponent } from '../../components/moto.js';
import { account, drillTag, estate, other, volumeIds, withEnv, zone } from '../../clients/ec2/lib.js';
import { step as attach } from '../../../src/steps/ec2/attach.js';
import { step as create } from '../../../src/steps/ec2/create-volume.js';
import { step as remove } from '../../../src/steps/ec2/delete-volume.js';
import { step as detach } from '../../../src/steps/ec2/detach.js';
import { step as find } from '../../../src/steps/ec2/find-snapshot.js';
import { step as tag } from '../../../src/steps/ec2/tag.js';
import { step as wait } from '../../../src/steps/ec2/wait-volume.js';
import { toldOf } from '../lib/context.js';
import { awsContext, cleanUp, evidenceOf, run } from './rig.js';

const suite = await requireComponent(motoComponent);

suite('EBS volumes', () => {
  let aws: Aws;
  let client: EC2Client;
  beforeAll(async () => {
    aws = await startAws();
    client = other(aws.moto);
  });
  beforeEach(() => aws.reset());
  afterAll(() => aws?.stop());

  /** Makes DescribeSnapshots say something else of a snapshot. */
  const sayOfSnapshots = (from: string, to: string) =>
    aws.proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeSnapshots') return undefined;
      const { status, body } = await answer();
      return { status, body: body.replaceAll(from, to) };
    });

  it('come from the newest snapshot of this account that fits, whose data is as old as its StartTime', async () => {
    const { snapshot, volume } = await estate(client, { app: 'shop', env: 'drill' });
    await estate(client, { app: 'other', env: 'drill' });
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      const found = await run(find, { aws: 'aws', tags: { app: 'shop' } }, context);
      expect(found).toMatchObject({ snapshot, volume });
      expect(evidenceOf(context, 'volume-snapshot')).toMatchObject([{ snapshot, owner: account, origin: 'schedule', startedAt: found.startedAt, seed: null, rule: 'the newest snapshot tagged app=shop; owned by this account, completed, not archived' }]);
      expect(await find.selection?.find({ aws: 'aws', tags: { app: 'shop' } }, { ports: context.ports, runbookDir: '/', signal: context.signal })).toEqual({ name: snapshot, at: found.startedAt });
    });
  });

  it.each([
    ['of another account', `<ownerId>${account}</ownerId>`, '<ownerId>210987654321</ownerId>', 'wrong-owner'],
    ['that is not complete', '<status>completed</status>', '<status>pending</status>', 'snapshot-not-completed'],
    ['in the archive', '<storageTier>standard</storageTier>', '<storageTier>archive</storageTier>', 'snapshot-archived'],
  ])('never come from a snapshot %s: by a rule it is left out, by its name refused', async (_what, from, to, code) => {
    const { snapshot } = await estate(client, { app: 'shop', env: 'drill' });
    sayOfSnapshots(from, to);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      await expect(run(find, { aws: 'aws', tags: { app: 'shop' } }, context)).rejects.toMatchObject({ code: 'no-snapshot' });
      await expect(run(find, { aws: 'aws', snapshot }, context)).rejects.toMatchObject({ code });
    });
  });

  it('come from no snapshot that is older than the runbook allows', async () => {
    const { snapshot } = await estate(client, { app: 'shop' });
    sayOfSnapshots(`<startTime>${new Date().getUTCFullYear()}`, '<startTime>2020');
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      await expect(run(find, { aws: 'aws', snapshot, maxAge: '24h' }, context)).rejects.toMatchObject({ code: 'snapshot-too-old' });
      expect(find.selection?.rule({ aws: 'aws', snapshot, maxAge: '24h' })).toMatchObject({ maxAgeMs: 86_400_000, pin: false });
    });
  });

  it('come from a random snapshot, and the seed that is recorded gives it again', async () => {
    const { volume } = await estate(client);
    for (let more = 0; more < 6; more += 1) await client.send(new CreateSnapshotCommand({ VolumeId: volume }));
    await withEnv(aws.env, async () => {
      const picked = new Map<string, string>();
      for (const seed of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
        const context = await awsContext();
        picked.set(seed, (await run(find, { aws: 'aws', volume, random: true, seed }, context)).snapshot);
        expect(evidenceOf(context, 'volume-snapshot')).toMatchObject([{ seed }]);
      }
      expect(new Set(picked.values()).size).toBeGreaterThan(1);
      for (const [seed, snapshot] of picked) expect((await run(find, { aws: 'aws', volume, random: true, seed }, await awsContext())).snapshot).toBe(snapshot);
    });
  });

  it('are made with the tags of the run and go after the drill', async () => {
    const { snapshot } = await estate(client);
    const before = await volumeIds(client);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      const { volume } = await run(create, { aws: 'aws', snapshot, zone, volumeType: 'gp3', tags: { purpose: 'drill' } }, context);
      await run(wait, { aws: 'aws', volume, until: 'available', every: '50ms' }, context);
      expect(evidenceOf(context, 'volume')).toMatchObject([{ volume, snapshot, zone, sizeGiB: 8, type: 'gp3' }]);
      expect((await context.ports.ec2.of('aws').volume(volume))?.tags).toMatchObject({ purpose: 'drill', 'muster-run': context.runId, [drillTag.key]: drillTag.value });
      await cleanUp(context, create);
      await cleanUp(context, create);
    });
    expect(await volumeIds(client)).toEqual(before);
  });

  it('go after the drill also where the process died before their id was noted', async () => {
    const { snapshot } = await estate(client);
    const before = await volumeIds(client);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      await run(create, { aws: 'aws', snapshot, zone }, context);
      context.told.splice(context.told.findIndex(([what]) => what === 'confirm'), 1);
      await cleanUp(context, create);
    });
    expect(await volumeIds(client)).toEqual(before);
  });

  it('are deleted again even where AWS is busy for a while', async () => {
    const { snapshot } = await estate(client);
    const before = await volumeIds(client);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      await run(create, { aws: 'aws', snapshot, zone }, context);
      let refused = 0;
      aws.proxy.meddle(({ action }) => (action === 'DeleteVolume' && (refused += 1) < 3 ? ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503) : undefined));
      await cleanUp(context, create);
      expect(refused).toBe(3);
    });
    expect(await volumeIds(client)).toEqual(before);
  });

  it('that AWS will not make now may be asked for again by the engine, and by nobody else', async () => {
    const { snapshot } = await estate(client);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      aws.proxy.meddle(({ action }) => (action === 'CreateVolume' ? ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503) : undefined));
      aws.proxy.seen.length = 0;
      await expect(run(create, { aws: 'aws', snapshot, zone }, context)).rejects.toMatchObject({ code: 'aws-throttled', retryable: true });
      expect(aws.proxy.seen.filter((action) => action === 'CreateVolume')).toHaveLength(1);
    });
  });

  it('that go to the state error end the wait at once', async () => {
    const { snapshot } = await estate(client);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      const { volume } = await run(create, { aws: 'aws', snapshot, zone }, context);
      aws.proxy.meddle(async ({ action }, answer) => {
        if (action !== 'DescribeVolumes') return undefined;
        const { status, body } = await answer();
        return { status, body: body.replaceAll('<status>available</status>', '<status>error</status>') };
      });
      await expect(run(wait, { aws: 'aws', volume, until: 'available', every: '50ms' }, context)).rejects.toMatchObject({ code: 'volume-error' });
    });
  });

  it('are waited for through answers that could not be had', async () => {
    const { snapshot } = await estate(client);
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      const { volume } = await run(create, { aws: 'aws', snapshot, zone }, context);
      let refused = 0;
      aws.proxy.meddle(({ action }) => (action === 'DescribeVolumes' && (refused += 1) < 3 ? ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503) : undefined));
      await run(wait, { aws: 'aws', volume, until: 'available', every: '10ms' }, context);
      expect(refused).toBe(3);
    });
  });

  it('in another zone than the instance are not attached', async () => {
    const { instance } = await estate(client);
    const elsewhere = (await client.send(new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1b', Size: 1, TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'env', Value: 'drill' }] }] }))).VolumeId ?? '';
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      await expect(run(attach, { aws: 'aws', volume: elsewhere, instance, device: '/dev/sdf', every: '50ms' }, context)).rejects.toMatchObject({ code: 'wrong-zone' });
      expect(toldOf(context, 'defer')).toEqual([]);
    });
  });

  it('are attached and detached, and are where they were after the drill', async () => {
    const { instance, volume } = await estate(client);
    const spare = (await client.send(new RunInstancesCommand({ ImageId: 'ami-00000000', MinCount: 1, MaxCount: 1, Placement: { AvailabilityZone: zone }, TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'env', Value: 'drill' }] }] }))).Instances?.[0]?.InstanceId ?? '';
    const place = async () => (await client.send(new DescribeVolumesCommand({ VolumeIds: [volume] }))).Volumes?.[0]?.Attachments?.map(({ InstanceId, Device }) => ({ InstanceId, Device }));
    const before = await place();
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      expect(await run(detach, { aws: 'aws', volume, every: '50ms' }, context)).toEqual({ instance, device: '/dev/xvdba' });
      await run(attach, { aws: 'aws', volume, instance: spare, device: '/dev/sdf', every: '50ms' }, context);
      expect(await place()).toEqual([{ InstanceId: spare, Device: '/dev/sdf' }]);
      await cleanUp(context, attach, detach);
    });
    expect(await place()).toEqual(before);
  });

  it('bear their old tags after the drill, but for those that somebody has changed since', async () => {
    const { volume } = await estate(client, { env: 'drill', state: 'live' });
    await withEnv(aws.env, async () => {
      const context = await awsContext();
      await run(tag, { aws: 'aws', resources: [volume], tags: { state: 'drilled', note: 'x' } }, context);
      expect((await context.ports.ec2.of('aws').volume(volume))?.tags).toMatchObject({ state: 'drilled', note: 'x' });
      await cleanUp(context, tag);
      await expect(run(tag, { aws: 'aws', resources: [volume], tags: { env: 'shop' } }, context)).rejects.toMatchObject({ code: 'tag-refused' });
    });
    const { Tags } = await client.send(new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [volume] }] }));
    expect(Object.fromEntries((Tags ?? []).map(({ Key, Value }) => [Key, Value]))).toEqual({ env: 'drill', state: 'live' });
  });

  it('of others are never deleted', async () => {
    const { volume } = await estate(client);
    await withEnv(aws.env, async () => {
      await expect(run(remove, { aws: 'aws', volume }, await awsContext())).rejects.toMatchObject({ code: 'not-ours' });
    });
    expect(await volumeIds(client)).toContain(volume);
  });
});
