import type { AwsDetails } from '../aws/details.js';

export interface Attachment {
  readonly instance: string;
  readonly device: string;
  readonly state: string;
}

export interface Volume {
  readonly id: string;
  readonly state: 'creating' | 'available' | 'in-use' | 'deleting' | 'deleted' | 'error';
  /** Availability zone. */
  readonly zone: string;
  readonly sizeGiB: number;
  readonly type: string;
  readonly encrypted: boolean;
  readonly kmsKey: string | null;
  /** What it was made from. */
  readonly snapshot: string | null;
  /** UTC, ISO 8601. */
  readonly createdAt: string;
  readonly tags: Tags;
  readonly attachments: readonly Attachment[];
}

export interface Snapshot {
  readonly id: string;
  /** Account. */
  readonly owner: string;
  readonly state: string;
  /** The moment whose data it holds, UTC, ISO 8601. When the copy was complete says nothing of that. */
  readonly startedAt: string;
  readonly volume: string | null;
  readonly sizeGiB: number;
  readonly encrypted: boolean;
  readonly kmsKey: string | null;
  readonly tier: string;
  readonly tags: Tags;
}

export interface Instance {
  readonly id: string;
  readonly state: string;
  readonly zone: string;
  readonly tags: Tags;
}

export type Tags = Readonly<Record<string, string>>;

/**
 * A call that alters something. What is made bears the connection's tag and `muster-run=<run>` besides `tags`; only what bears
 * this run's is deleted (StepError `not-ours`).
 */
export type Ec2Change =
  | {
      readonly action: 'CreateVolume';
      readonly snapshot: string;
      readonly zone: string;
      /** The same token gives the same volume. */
      readonly token: string;
      readonly tags: Tags;
      readonly type?: string;
      readonly sizeGiB?: number;
      readonly iops?: number;
      readonly throughput?: number;
      readonly encrypted?: boolean;
      readonly kmsKey?: string;
      /** MiB/s, 100 to 300. */
      readonly initializationRate?: number;
    }
  | { readonly action: 'DeleteVolume'; readonly volume: string }
  | { readonly action: 'AttachVolume'; readonly volume: string; readonly instance: string; readonly device: string }
  | { readonly action: 'DetachVolume'; readonly volume: string; readonly instance: string; readonly force?: boolean }
  | { readonly action: 'CreateTags'; readonly resources: readonly string[]; readonly tags: Tags }
  | { readonly action: 'DeleteTags'; readonly resources: readonly string[]; readonly tags: Tags };

/** What a dry run says. `unclear`: neither, such as where the object does not exist yet. KMS is never asked. */
export interface DryRun {
  readonly result: 'permitted' | 'denied' | 'unclear';
  readonly detail: string;
}

/** EC2 in the account and region of one connection. Errors as in clients/aws/port.ts. Nothing is tried again. */
export interface Ec2 {
  readonly details: AwsDetails;
  /** Those that this account owns and that bear all of `tags`, or are named by `ids`. One that is not there is left out. */
  snapshots(wanted: { readonly tags?: Tags; readonly ids?: readonly string[]; readonly volume?: string }): Promise<Snapshot[]>;
  /** One by its id, whoever owns it; undefined when it is not there. */
  snapshot(id: string): Promise<Snapshot | undefined>;
  volumes(wanted: { readonly tags: Tags }): Promise<Volume[]>;
  /** undefined when it is not there, or no more. */
  volume(id: string): Promise<Volume | undefined>;
  /** How far its blocks are loaded from the snapshot: `completed`, `initializing` or `initializing-with-rate`; null where EC2 does not say. */
  initialization(volume: string): Promise<{ readonly state: string; readonly progress: number | null } | null>;
  instance(id: string): Promise<Instance | undefined>;
  /** Sends it. Resolves to the volume, for those that alter one. */
  change(change: Ec2Change): Promise<{ readonly volume: Volume | null }>;
  /** Asks whether it would be permitted (DryRun); alters nothing. */
  dryRun(change: Ec2Change): Promise<DryRun>;
}

export interface Ec2Port {
  /** Throws StepError `no-such-connection`. */
  of(connection: string): Ec2;
}
