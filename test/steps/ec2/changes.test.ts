import { CreateSnapshotCommand, CreateTagsCommand, DeleteSnapshotCommand, DetachVolumeCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startAws, type Aws } from '../../components/aws.js';
import { requireComponent } from '../../components/index.js';
import { motoComponent } from '../../components/moto.js';
import { estate, other, withEnv } from '../../clients/ec2/lib.js';
import type { Observation, RunningWatcher, WatchContext } from '../../../src/engine/define-watcher.js';
import { watcher } from '../../../src/steps/ec2/changes.js';
import { step as tag } from '../../../src/steps/ec2/tag.js';
import { awsContext, run } from './rig.js';

const suite = await requireComponent(motoComponent);

interface Watch {
  readonly running: RunningWatcher;
  readonly seen: Observation[];
  readonly gaps: string[];
  readonly unseen: string[];
}

suite('the watcher of AWS', () => {
  let aws: Aws;
  let client: EC2Client;
  beforeAll(async () => {
    aws = await startAws();
    client = other(aws.moto);
  });
  beforeEach(() => aws.reset());
  afterAll(() => aws?.stop());

  const watch = async (context: Awaited<ReturnType<typeof awsContext>>, world: WatchContext['world']): Promise<Watch> => {
    const [seen, gaps, unseen]: [Observation[], string[], string[]] = [[], [], []];
    const ctx: WatchContext = { ...context, watcher: 'ec2', world, documents: [], observed: (each) => void seen.push(each), gap: (detail) => void gaps.push(detail), boundary: {}, unseen: (detail) => void unseen.push(detail) };
    return { running: await watcher.begin({ every: '1h' }, ctx), seen, gaps, unseen };
  };
  const watched = async (): Promise<Watch & { readonly context: Awaited<ReturnType<typeof awsContext>> }> => {
    const context = await awsContext();
    return { context, ...(await watch(context, context.world)) };
  };

  it('tells what somebody did to volumes and snapshots inside the boundary, and nothing of others', async () => {
    const { volume, instance, snapshot } = await estate(client);
    const elsewhere = await estate(client, { env: 'shop' });
    await withEnv(aws.env, async () => {
      const { running, seen, gaps } = await watched();
      await client.send(new DetachVolumeCommand({ VolumeId: volume, InstanceId: instance }));
      await client.send(new DetachVolumeCommand({ VolumeId: elsewhere.volume, InstanceId: elsewhere.instance }));
      await client.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
      const fresh = (await client.send(new CreateSnapshotCommand({ VolumeId: volume, TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'env', Value: 'drill' }, { Key: 'aws:dlm:lifecycle-policy-id', Value: 'policy-1' }] }] }))).SnapshotId ?? '';
      expect(await running.end(0)).toBe(2);
      expect(seen.toSorted((a, b) => a.change.localeCompare(b.change))).toMatchObject([
        { object: `volume ${volume}`, change: 'attachments changed', before: [`${instance} /dev/xvdba`], after: [], proof: 'none' },
        { system: 'aws:aws', object: `snapshot ${fresh}`, change: 'created', actor: 'dlm policy-1', proof: 'another', scope: 'recovery-path' },
        { object: `snapshot ${snapshot}`, change: 'deleted, or its tag of the boundary taken away' },
      ]);
      expect(gaps).toEqual([]);
    });
  });

  it('gives the time since its last look, so that what a step of the run did is known as its own', async () => {
    const { volume } = await estate(client);
    await withEnv(aws.env, async () => {
      const { running, seen, context } = await watched();
      const began = new Date().toISOString();
      await run(tag, { aws: 'aws', resources: [volume], tags: { note: 'x' } }, context);
      await running.end(0);
      expect(seen).toMatchObject([{ object: `volume ${volume}`, change: 'tags changed', proof: 'none' }]);
      expect(Date.parse(seen[0]?.since ?? '')).toBeLessThanOrEqual(Date.parse(began) + 50);
      expect(tag.changes({ aws: 'aws', resources: [volume], tags: { note: 'x' } })).toEqual([{ system: 'aws:aws', object: `volume ${volume}` }]);
    });
  });

  it('says that without CloudTrail it does not see who, and that this proves nothing', async () => {
    await estate(client);
    await withEnv(aws.env, async () => {
      const { running, unseen, gaps } = await watched();
      await running.end(0);
      expect(unseen).toEqual([expect.stringContaining('has no CloudTrail')]);
      expect(gaps).toEqual([]);
    });
  });

  it('names who called, as CloudTrail has it, and says that an early answer may not hold all', async () => {
    const { volume } = await estate(client);
    const event = (id: string, name: string, userAgent: string, more: object = {}) => ({ EventId: id, EventName: name, EventTime: Math.floor(Date.now() / 1000), Username: 'alice', Resources: [{ ResourceName: volume }], CloudTrailEvent: JSON.stringify({ userAgent, userIdentity: { arn: 'arn:aws:iam::123456789012:user/alice' }, ...more }) });
    await withEnv(aws.env, async () => {
      const { running, seen, unseen, context } = await watched();
      const mark = `app/muster-${context.runId.slice(0, 16)}-${context.runId.slice(-6)}`;
      aws.proxy.meddle(({ action, target }) => (action === '' && target.endsWith('LookupEvents') ? { status: 200, type: 'application/x-amz-json-1.1', body: JSON.stringify({ Events: [event('1', 'ModifyVolume', 'console'), event('2', 'CreateTags', `aws-sdk-js/3 ${mark}`), event('3', 'DeleteVolume', 'console', { errorCode: 'Client.UnauthorizedOperation' })] }) } : undefined));
      await running.end(0);
      expect(seen).toMatchObject([
        { object: `volume ${volume}`, change: 'call ModifyVolume', actor: 'arn:aws:iam::123456789012:user/alice', proof: 'another' },
        { change: 'call CreateTags', proof: 'ours' },
      ]);
      expect(unseen).toEqual([expect.stringContaining('what it does not hold proves nothing')]);
    });
  });

  it('says that it was blind where the state at the end could not be compared', async () => {
    await estate(client);
    await withEnv(aws.env, async () => {
      const { running, gaps } = await watched();
      aws.proxy.meddle(({ action }) => (action === 'DescribeVolumes' ? { status: 503, body: '<html></html>' } : undefined));
      expect(await running.end(0)).toBe(0);
      expect(gaps).toEqual([expect.stringContaining('could not be compared')]);
    });
  });

  it('does not end a drill where it cannot look between two steps', async () => {
    const { volume, instance } = await estate(client);
    await withEnv(aws.env, async () => {
      aws.proxy.seen.length = 0;
      const { running, seen, gaps } = await watched();
      aws.proxy.meddle(({ action }) => (action === 'DescribeVolumes' ? { status: 200, body: '<nonsense/>' } : undefined));
      running.stepEnded?.();
      const asked = () => aws.proxy.seen.filter((action) => action === 'DescribeVolumes').length;
      await expect.poll(asked).toBe(3);
      aws.proxy.meddle(undefined);
      await client.send(new DetachVolumeCommand({ VolumeId: volume, InstanceId: instance }));
      await running.end(0);
      expect(seen.map(({ change }) => change)).toEqual(['attachments changed']);
      expect(gaps).toEqual([]);
    });
  });

  it('tells a tag of the boundary that somebody put on something', async () => {
    const { volume } = await estate(client, { env: 'shop' });
    await withEnv(aws.env, async () => {
      const { running, seen } = await watched();
      await client.send(new CreateTagsCommand({ Resources: [volume], Tags: [{ Key: 'env', Value: 'drill' }] }));
      await running.end(0);
      expect(seen).toMatchObject([{ object: `volume ${volume}`, change: 'created', proof: 'none' }]);
    });
  });
});
