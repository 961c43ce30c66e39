import type * as sdk from '@aws-sdk/client-ec2';
import { StepError } from '../../engine/errors.js';
import type { Snapshot, Tags, Volume } from './port.js';

export function volumeOf(found: sdk.Volume): Volume {
  const { VolumeId, State, AvailabilityZone, CreateTime } = found;
  if (VolumeId === undefined || State === undefined || AvailabilityZone === undefined) throw unreadable('DescribeVolumes');
  return {
    id: VolumeId,
    state: State,
    zone: AvailabilityZone,
    sizeGiB: found.Size ?? 0,
    type: found.VolumeType ?? '',
    encrypted: found.Encrypted ?? false,
    kmsKey: found.KmsKeyId ?? null,
    snapshot: found.SnapshotId === undefined || found.SnapshotId === '' ? null : found.SnapshotId,
    createdAt: CreateTime?.toISOString() ?? '',
    tags: tagsOf(found.Tags),
    attachments: (found.Attachments ?? []).flatMap(({ InstanceId, Device, State: state }) => (InstanceId === undefined ? [] : [{ instance: InstanceId, device: Device ?? '', state: state ?? '' }])),
  };
}

export function snapshotOf(found: sdk.Snapshot): Snapshot {
  const { SnapshotId, OwnerId, State, StartTime } = found;
  if (SnapshotId === undefined || OwnerId === undefined || State === undefined || StartTime === undefined) throw unreadable('DescribeSnapshots');
  return {
    id: SnapshotId,
    owner: OwnerId,
    state: State,
    startedAt: StartTime.toISOString(),
    volume: found.VolumeId ?? null,
    sizeGiB: found.VolumeSize ?? 0,
    encrypted: found.Encrypted ?? false,
    kmsKey: found.KmsKeyId ?? null,
    tier: found.StorageTier ?? 'standard',
    tags: tagsOf(found.Tags),
  };
}

export function tagsOf(tags: readonly sdk.Tag[] | undefined): Tags {
  return Object.fromEntries((tags ?? []).flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? '']])));
}

export function tagList(tags: Tags): sdk.Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** The answer lacks what every answer of EC2 holds. */
export function unreadable(action: string): StepError {
  return new StepError('aws-not-supported', `ec2:${action} answered without what every answer holds`, { hint: 'Is this endpoint EC2?' });
}
