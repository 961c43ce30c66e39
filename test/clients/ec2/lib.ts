import { EC2Client, AttachVolumeCommand, CreateSnapshotCommand, CreateTagsCommand, CreateVolumeCommand, DescribeVolumesCommand, RunInstancesCommand, type Tag } from '@aws-sdk/client-ec2';
import type { Moto } from '../../components/moto.js';
import { awsPort } from '../../../src/clients/aws/adapter.js';
import { awsShared, type AwsShared } from '../../../src/clients/aws/shared.js';
import { ec2Port } from '../../../src/clients/ec2/adapter.js';
import { provisioner } from '../../../src/clients/provision/aws.js';
import { createGuard, type Guard } from '../../../src/engine/guard.js';
import { guardPolicy } from '../../../src/engine/guard/policy.js';
import type { Scope } from '../../../src/engine/scope.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { scopeFor } from '../lib/scope.js';

export const account = '123456789012';
export const region = 'eu-central-1';
export const zone = 'eu-central-1a';
export const drillTag = { key: 'env', value: 'drill' };
export const inside = { account, regions: [region], tag: drillTag };

/** The variables of the usual chain while `work` is done; those that lead elsewhere on this machine do not count. */
export async function withEnv<T>(env: Readonly<Record<string, string | undefined>>, work: () => Promise<T>): Promise<T> {
  const names = new Set([...Object.keys(process.env).filter((name) => name.startsWith('AWS_')), ...Object.keys(env)]);
  const before = Object.fromEntries([...names].map((name) => [name, process.env[name]]));
  const set = (values: Readonly<Record<string, string | undefined>>) => {
    for (const name of names) {
      const value = values[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(env);
  try {
    return await work();
  } finally {
    set(before);
  }
}

/** Somebody else's view: tests set up and look with it. */
export function other(moto: Pick<Moto, 'endpoint'>, credentials = { accessKeyId: 'other', secretAccessKey: 'other' }): EC2Client {
  return new EC2Client({ region, endpoint: moto.endpoint, credentials });
}

/** An instance, a volume of `sizeGiB` attached to it, and a snapshot of that, all bearing `tags`. */
export async function estate(client: EC2Client, tags: Readonly<Record<string, string>> = { [drillTag.key]: drillTag.value }, sizeGiB = 8): Promise<{ readonly instance: string; readonly volume: string; readonly snapshot: string }> {
  const Tags: Tag[] = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  const instances = await client.send(new RunInstancesCommand({ ImageId: 'ami-00000000', MinCount: 1, MaxCount: 1, Placement: { AvailabilityZone: zone }, TagSpecifications: [{ ResourceType: 'instance', Tags }] }));
  const instance = instances.Instances?.[0]?.InstanceId ?? '';
  const volume = (await client.send(new CreateVolumeCommand({ AvailabilityZone: zone, Size: sizeGiB, VolumeType: 'gp3', TagSpecifications: [{ ResourceType: 'volume', Tags }] }))).VolumeId ?? '';
  await client.send(new AttachVolumeCommand({ VolumeId: volume, InstanceId: instance, Device: '/dev/xvdba' }));
  const snapshot = (await client.send(new CreateSnapshotCommand({ VolumeId: volume }))).SnapshotId ?? '';
  await client.send(new CreateTagsCommand({ Resources: [snapshot], Tags }));
  return { instance, volume, snapshot };
}

/** Ids of all volumes that are there. */
export async function volumeIds(client: EC2Client): Promise<string[]> {
  const { Volumes } = await client.send(new DescribeVolumesCommand({}));
  return (Volumes ?? []).flatMap(({ VolumeId }) => (VolumeId === undefined ? [] : [VolumeId]));
}

export interface Rig {
  readonly world: LiveWorld;
  readonly scope: Scope;
  readonly shared: AwsShared;
  readonly guard: Guard;
}

export interface RigOptions {
  readonly role?: 'production' | 'source' | 'target';
  readonly with?: Record<string, unknown>;
  readonly boundary?: readonly Record<string, unknown>[];
  readonly runId?: string;
}

/** A world with the connection `aws`, and the real guard over a boundary. Call it within `withEnv`. */
export async function rig({ role = 'target', with: given = { account, region, tag: drillTag }, boundary = [inside], runId = '20261120T101704Z-test-abcdef' }: RigOptions = {}): Promise<Rig> {
  const world = new LiveWorld();
  const details = (await provisioner.existing?.(given as Parameters<NonNullable<typeof provisioner.existing>>[0], { runbookDir: '/' })) ?? {};
  const connection = { kind: 'aws', role, provision: 'aws' } as const;
  world.apply({ type: 'connection.provisioned', data: { connection: 'aws', ...connection, details } });
  const environment = { connections: { aws: { ...connection, with: given, does: '' } }, endpoints: {}, boundary: { aws: boundary }, forbidden: [] };
  const guard = createGuard(guardPolicy({ environment, world, ownDirectories: [], runbookDir: '/' }));
  return { world, guard, shared: awsShared(), scope: scopeFor(guard, runId) };
}

export const portsOf = ({ scope, world, shared }: Rig) => ({ aws: awsPort(scope, world, shared), ec2: ec2Port(scope, world, shared) });
