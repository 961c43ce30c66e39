import type { BucketDetails } from './details.js';

/** One version of an object, or the marker that it was deleted. */
export interface ObjectVersion {
  /** `null` in a bucket that keeps no versions. */
  readonly version: string;
  /** When it was written, as S3 says it: UTC, whole seconds. */
  readonly at: string;
  readonly size: number;
  readonly latest: boolean;
  /** From here on the object counted as deleted. */
  readonly deleteMarker: boolean;
}

/** An object as it is at a version. */
export interface ObjectFacts {
  readonly version: string;
  readonly at: string;
  readonly size: number;
  /** SHA-256 that S3 recorded when it was written, hex; null where it recorded none. An ETag is not always a checksum. */
  readonly recorded: string | null;
}

/**
 * Objects in the bucket of a connection, read only, and the bucket itself. Keys start at the connection's prefix. Throws the StepErrors of
 * clients/aws/port.ts, and `object-too-large`.
 */
export interface S3Port {
  bucket(connection: string): BucketDetails;
  exists(connection: string): Promise<boolean>;
  /** Makes the bucket, tagged with this run, versioned, encrypted and closed to the public. */
  make(connection: string): Promise<void>;
  /** Removes the bucket with every version in it, if this run made it; "not found" is fine. Throws StepError `not-our-bucket`. */
  remove(connection: string): Promise<void>;
  /** `suspended`: new writes make no version any more. */
  versioning(connection: string): Promise<'enabled' | 'suspended' | 'off'>;
  /** All versions of one object, newest first; empty where there never was one. */
  versions(connection: string, key: string): Promise<readonly ObjectVersion[]>;
  /** Keys that end in `ending`, of objects that are there or were. Empty where there is no bucket. */
  keys(connection: string, ending: string): Promise<readonly string[]>;
  /** null where there is no such object or version, or where it is deleted. */
  head(connection: string, key: string, version?: string): Promise<ObjectFacts | null>;
  /** The whole object as text; at most 64 MiB. */
  read(connection: string, key: string, version?: string): Promise<string>;
  /** SHA-256 over its bytes, hex, as they are now. */
  digest(connection: string, key: string, version: string | undefined, signal: AbortSignal): Promise<{ readonly sha256: string; readonly size: number }>;
}
