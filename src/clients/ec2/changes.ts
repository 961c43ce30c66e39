import type * as sdk from '@aws-sdk/client-ec2';
import type { Effect } from '../../engine/define-step.js';
import { runTag } from '../../engine/mark.js';
import type { AwsDetails } from '../aws/details.js';
import { tagList } from './convert.js';
import type { Ec2Change, Tags } from './port.js';

interface Sent {
  /** Resolves to the volume that it concerns, where the answer names one. */
  send(client: sdk.EC2Client, module: typeof sdk, abortSignal: AbortSignal): Promise<string | undefined>;
}

interface Sending {
  readonly details: AwsDetails;
  readonly runId: string;
  readonly dryRun: boolean;
}

/** The tags of what a run makes: the boundary's and the run's come over all others. */
export function madeBy(tags: Tags, { tag }: Pick<AwsDetails, 'tag'>, runId: string): Tags {
  return { ...tags, [tag.key]: tag.value, [runTag]: runId };
}

export function effectOf({ action }: Ec2Change): Effect {
  return action === 'CreateVolume' ? 'create' : action === 'DeleteVolume' ? 'destroy' : 'modify';
}

export function volumeBefore(change: Ec2Change): string | undefined {
  return 'volume' in change ? change.volume : undefined;
}

export function commandOf(change: Ec2Change, { details, runId, dryRun }: Sending): Sent {
  const DryRun = dryRun;
  switch (change.action) {
    case 'CreateVolume': {
      const { snapshot, zone, token, type, sizeGiB, iops, throughput, encrypted, kmsKey, initializationRate } = change;
      const given: sdk.CreateVolumeCommandInput = {
        DryRun,
        SnapshotId: snapshot,
        AvailabilityZone: zone,
        ClientToken: token,
        TagSpecifications: [{ ResourceType: 'volume', Tags: tagList(madeBy(change.tags, details, runId)) }],
        ...(type === undefined ? {} : { VolumeType: type as sdk.VolumeType }),
        ...(sizeGiB === undefined ? {} : { Size: sizeGiB }),
        ...(iops === undefined ? {} : { Iops: iops }),
        ...(throughput === undefined ? {} : { Throughput: throughput }),
        ...(encrypted === undefined ? {} : { Encrypted: encrypted }),
        ...(kmsKey === undefined ? {} : { KmsKeyId: kmsKey }),
        ...(initializationRate === undefined ? {} : { VolumeInitializationRate: initializationRate }),
      };
      return { send: async (client, { CreateVolumeCommand }, abortSignal) => (await client.send(new CreateVolumeCommand(given), { abortSignal })).VolumeId };
    }
    case 'DeleteVolume':
      return { send: async (client, { DeleteVolumeCommand }, abortSignal) => void (await client.send(new DeleteVolumeCommand({ DryRun, VolumeId: change.volume }), { abortSignal })) };
    case 'AttachVolume':
      return { send: async (client, { AttachVolumeCommand }, abortSignal) => (await client.send(new AttachVolumeCommand({ DryRun, VolumeId: change.volume, InstanceId: change.instance, Device: change.device }), { abortSignal })).VolumeId };
    case 'DetachVolume':
      return { send: async (client, { DetachVolumeCommand }, abortSignal) => (await client.send(new DetachVolumeCommand({ DryRun, VolumeId: change.volume, InstanceId: change.instance, Force: change.force ?? false }), { abortSignal })).VolumeId };
    case 'CreateTags':
      return { send: async (client, { CreateTagsCommand }, abortSignal) => void (await client.send(new CreateTagsCommand({ DryRun, Resources: [...change.resources], Tags: tagList(change.tags) }), { abortSignal })) };
    case 'DeleteTags':
      return { send: async (client, { DeleteTagsCommand }, abortSignal) => void (await client.send(new DeleteTagsCommand({ DryRun, Resources: [...change.resources], Tags: tagList(change.tags) }), { abortSignal })) };
  }
}
