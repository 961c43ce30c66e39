import type * as sdk from '@aws-sdk/client-ec2';
import type { Effect } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import type { AwsTarget, Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { runTag } from '../../engine/mark.js';
import { awsCodeOf, isNotFound } from '../aws/errors.js';
import { AwsCalls, type AwsShared } from '../aws/shared.js';
import { commandOf, effectOf, madeBy, volumeBefore } from './changes.js';
import { snapshotOf, tagsOf, unreadable, volumeOf } from './convert.js';
import type { Ec2, Ec2Change, Ec2Port, Instance, Snapshot, Tags, Volume } from './port.js';

type Sdk = typeof sdk;
type Client = sdk.EC2Client;

/** EC2 as `scope` may use it. The SDK is loaded by the first call. */
export function ec2Port(scope: Scope, world: World, shared: AwsShared): Ec2Port {
  const calls = new AwsCalls(scope, world, shared);
  return { of: (connection) => ec2Of(connection, calls, scope) };
}

function ec2Of(connection: string, calls: AwsCalls, scope: Scope): Ec2 {
  const details = calls.details(connection);
  const call = <R>(action: string, effect: Effect, objects: AwsTarget['objects'], send: (client: Client, module: Sdk, abortSignal: AbortSignal) => Promise<R>): Promise<R> =>
    calls.call<Client, R>(connection, {
      action: `ec2:${action}`,
      effect,
      objects,
      make: async (config) => new (await import('@aws-sdk/client-ec2')).EC2Client(config),
      send: async (client, signal) => send(client, await import('@aws-sdk/client-ec2'), signal),
    });
  const read = <R>(action: string, send: (client: Client, module: Sdk, abortSignal: AbortSignal) => Promise<R>): Promise<R> => call(action, 'read', [], send);

  const describeVolumes = (input: sdk.DescribeVolumesCommandInput): Promise<Volume[]> =>
    pages(async (NextToken) => {
      const { Volumes, NextToken: next } = await read('DescribeVolumes', (client, module, abortSignal) => client.send(new module.DescribeVolumesCommand({ ...input, ...(NextToken === undefined ? {} : { NextToken }) }), { abortSignal }));
      // An empty set is told apart from an answer that holds none: nobody deleted what another endpoint does not know.
      if (Volumes === undefined) throw unreadable('DescribeVolumes');
      return { items: Volumes.map(volumeOf), next };
    });
  const describeSnapshots = (input: sdk.DescribeSnapshotsCommandInput): Promise<Snapshot[]> =>
    pages(async (NextToken) => {
      const { Snapshots, NextToken: next } = await read('DescribeSnapshots', (client, module, abortSignal) => client.send(new module.DescribeSnapshotsCommand({ ...input, ...(NextToken === undefined ? {} : { NextToken }) }), { abortSignal }));
      if (Snapshots === undefined) throw unreadable('DescribeSnapshots');
      return { items: Snapshots.map(snapshotOf), next };
    });
  const volume = async (id: string): Promise<Volume | undefined> => (await orNothing(() => describeVolumes({ VolumeIds: [id] })))?.find((found) => found.id === id && found.state !== 'deleted');

  const snapshot = async (id: string): Promise<Snapshot | undefined> => (await orNothing(() => describeSnapshots({ SnapshotIds: [id] })))?.find((found) => found.id === id);
  const instance = async (id: string): Promise<Instance | undefined> => {
    const answer = await orNothing(() => read('DescribeInstances', (client, module, abortSignal) => client.send(new module.DescribeInstancesCommand({ InstanceIds: [id] }), { abortSignal })));
    const found = answer?.Reservations?.flatMap(({ Instances }) => Instances ?? []).find(({ InstanceId }) => InstanceId === id);
    return found === undefined ? undefined : { id, state: found.State?.Name ?? '', zone: found.Placement?.AvailabilityZone ?? '', tags: tagsOf(found.Tags) };
  };

  /** What a change would alter, with its tags as EC2 has them now. */
  const objectsOf = async (change: Ec2Change): Promise<AwsTarget['objects']> => {
    if (change.action === 'CreateVolume') return [{ id: `the new volume from ${change.snapshot}`, tags: madeBy(change.tags, details, scope.runId) }];
    const ids = 'resources' in change ? [...change.resources] : 'instance' in change ? [change.volume, change.instance] : [change.volume];
    return Promise.all(ids.map(async (id) => ({ id, tags: (await (id.startsWith('i-') ? instance : id.startsWith('snap-') ? snapshot : volume)(id))?.tags ?? {} })));
  };

  return {
    details,
    volume,
    volumes: async ({ tags }) => (await describeVolumes({ Filters: tagFilters(tags) })).filter((found) => bears(found, tags)),
    snapshot,
    async snapshots({ tags = {}, ids, volume: of }) {
      const Filters = [...tagFilters(tags), ...(of === undefined ? [] : [{ Name: 'volume-id', Values: [of] }])];
      const found = await describeSnapshots({ OwnerIds: ['self'], ...(Filters.length === 0 ? {} : { Filters }) });
      return found.filter((each) => each.owner === details.account && bears(each, tags) && (ids === undefined || ids.includes(each.id)));
    },
    async initialization(id) {
      const { VolumeStatuses } = await read('DescribeVolumeStatus', (client, module, abortSignal) => client.send(new module.DescribeVolumeStatusCommand({ VolumeIds: [id] }), { abortSignal }));
      const found = VolumeStatuses?.find(({ VolumeId }) => VolumeId === id);
      const state = found?.VolumeStatus?.Details?.find(({ Name }) => String(Name) === 'initialization-state')?.Status ?? found?.InitializationStatusDetails?.InitializationType;
      const progress = found?.InitializationStatusDetails?.Progress;
      if (state === undefined) return null;
      return { state: progress === 100 ? 'completed' : state, progress: progress ?? null };
    },
    instance,
    async change(change) {
      if (change.action === 'DeleteVolume') await refuseOthers(await volume(change.volume), change.volume, scope.runId);
      const objects = await objectsOf(change);
      const made = await call(change.action, effectOf(change), objects, (client, module, abortSignal) => commandOf(change, { details, runId: scope.runId, dryRun: false }).send(client, module, abortSignal));
      const id = made ?? volumeBefore(change);
      return { volume: id === undefined || change.action === 'DeleteVolume' ? null : ((await volume(id)) ?? null) };
    },
    async dryRun(change) {
      try {
        await call(change.action, 'read', [], (client, module, abortSignal) => commandOf(change, { details, runId: scope.runId, dryRun: true }).send(client, module, abortSignal));
        return { result: 'unclear', detail: `ec2:${change.action}: the endpoint does not know dry runs` };
      } catch (error) {
        if (awsCodeOf(error) === 'DryRunOperation') return { result: 'permitted', detail: `ec2:${change.action} would be permitted` };
        if (error instanceof StepError && error.code === 'aws-denied') return { result: 'denied', detail: error.message };
        if (error instanceof StepError && error.code === 'aws-error') return { result: 'unclear', detail: messageOf(error) };
        throw error;
      }
    },
  };
}

/** Only what this run made is deleted: by its id, and by its tag. */
async function refuseOthers(volume: Volume | undefined, id: string, runId: string): Promise<void> {
  if (volume === undefined) throw new StepError('aws-not-found', `there is no volume ${id}`);
  if (volume.tags[runTag] !== runId) throw new StepError('not-ours', `the volume ${id} does not bear the tag ${runTag}=${runId}: this run did not make it`, { hint: 'Whoever made it removes it.' });
}

/** Wildcards in a value would match others too: `bears` decides. */
function tagFilters(tags: Tags): sdk.Filter[] {
  return Object.entries(tags).map(([key, value]) => (/[\\*?]/.test(value) ? { Name: 'tag-key', Values: [key] } : { Name: `tag:${key}`, Values: [value] }));
}

function bears({ tags }: { readonly tags: Tags }, wanted: Tags): boolean {
  return Object.entries(wanted).every(([key, value]) => tags[key] === value);
}

async function pages<T>(page: (token: string | undefined) => Promise<{ readonly items: readonly T[]; readonly next: string | undefined }>): Promise<T[]> {
  const found: T[] = [];
  let token: string | undefined;
  do {
    const { items, next } = await page(token);
    found.push(...items);
    token = next === '' ? undefined : next;
  } while (token !== undefined);
  return found;
}

async function orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
