import { StepError } from '../../engine/errors.js';
import type { World } from '../../engine/world.js';

/** `details` of a connection of kind `bucket`. JSON, no secrets. */
export interface BucketDetails {
  readonly bucket: string;
  readonly region: string;
  readonly profile?: string;
  /** What the connection stands for, without slashes at its ends; empty: all of the bucket. */
  readonly prefix: string;
}

/** Throws StepError `no-such-connection`. */
export function bucketOf(world: World, connection: string): BucketDetails {
  const details = world.connections.get(connection)?.details;
  if (details === undefined) throw new StepError('no-such-connection', `the environment has no connection ${JSON.stringify(connection)} that is there now`);
  const { bucket, region, prefix, profile } = details;
  if (typeof bucket !== 'string' || typeof region !== 'string' || typeof prefix !== 'string') throw new StepError('no-such-connection', `connection ${connection} is no bucket`);
  return { bucket, region, prefix, ...(typeof profile === 'string' ? { profile } : {}) };
}

/** The whole key of an object of this connection. */
export function keyIn({ prefix }: BucketDetails, key: string): string {
  return prefix === '' ? key : `${prefix}/${key}`;
}
