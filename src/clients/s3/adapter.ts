import { createHash } from 'node:crypto';
import type * as sdkTypes from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, ListObjectVersionsCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { Effect } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { clientConfig } from '../aws/config.js';
import { awsCodeOf, awsError } from '../aws/errors.js';
import { bucketOf, keyIn } from './details.js';
import { bucketExists, makeBucket, removeBucket } from './make-bucket.js';
import type { ObjectVersion, S3Port } from './port.js';

type Sdk = typeof sdkTypes;

/** One client for each region and profile. */
export interface S3Shared {
  readonly clients: Map<string, S3Client>;
}

export function s3Shared(): S3Shared {
  return { clients: new Map() };
}

/** The largest object that is read as text, in bytes. */
const maxText = 64 * 1024 * 1024;

/** Buckets as `scope` may use them. The SDK is loaded by the first call. */
export function s3Port(scope: Scope, world: World, shared: S3Shared): S3Port {
  const send = async <T>(connection: string, action: string, key: string | undefined, work: (client: S3Client, sdk: Sdk, where: { Bucket: string; Key: string }) => Promise<T>, effect: Effect = 'read'): Promise<T> => {
    const details = bucketOf(world, connection);
    const whole = key === undefined ? undefined : keyIn(details, key);
    await scope.access({ kind: 'bucket', connection, bucket: details.bucket, ...(whole === undefined ? {} : { key: whole }) }, effect);
    const sdk = await import('@aws-sdk/client-s3');
    const client = clientFor(details, scope.runId, sdk, shared);
    try {
      return await work(client, sdk, { Bucket: details.bucket, Key: whole ?? '' });
    } catch (error) {
      scope.signal.throwIfAborted();
      throw awsError(`s3:${action}`, error);
    }
  };
  const get = (connection: string, key: string, version: string | undefined) =>
    send(connection, 'GetObject', key, async (client, { GetObjectCommand }, where) => client.send(new GetObjectCommand({ ...where, ...versionOf(version) }), { abortSignal: scope.signal }));

  return {
    bucket: (connection) => bucketOf(world, connection),
    exists: (connection) => send(connection, 'HeadBucket', undefined, (client, sdk, { Bucket }) => bucketExists(client, sdk, Bucket, scope.signal)),
    make: (connection) => send(connection, 'CreateBucket', undefined, (client, sdk) => makeBucket(client, sdk, bucketOf(world, connection), scope.runId, scope.signal), 'create'),
    remove: (connection) => send(connection, 'DeleteBucket', undefined, (client, sdk, { Bucket }) => removeBucket(client, sdk, Bucket, scope.runId, scope.signal), 'destroy'),
    versioning: (connection) =>
      send(connection, 'GetBucketVersioning', undefined, async (client, { GetBucketVersioningCommand }, { Bucket }) => {
        const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }), { abortSignal: scope.signal });
        return Status === 'Enabled' ? 'enabled' : Status === 'Suspended' ? 'suspended' : 'off';
      }),
    versions: (connection, key) => send(connection, 'ListBucketVersions', key, (client, sdk, where) => versionsOf(client, sdk, where, scope.signal)),
    keys: (connection, ending) =>
      send(connection, 'ListBucketVersions', undefined, async (client, { ListObjectVersionsCommand }, { Bucket }) => {
        const { prefix } = bucketOf(world, connection);
        const within = prefix === '' ? '' : `${prefix}/`;
        const found = new Set<string>();
        let page: ListObjectVersionsCommandOutput | undefined;
        do {
          try {
            page = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: within, KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker }), { abortSignal: scope.signal });
          } catch (error) {
            if (awsCodeOf(error) === 'NoSuchBucket') return [];
            throw error;
          }
          for (const { Key = '' } of [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]) if (Key.endsWith(ending)) found.add(Key.slice(within.length));
        } while (page.IsTruncated === true);
        return [...found].toSorted();
      }),
    head: (connection, key, version) =>
      send(connection, 'GetObject', key, async (client, { HeadObjectCommand }, where) => {
        try {
          const found = await client.send(new HeadObjectCommand({ ...where, ...versionOf(version), ChecksumMode: 'ENABLED' }), { abortSignal: scope.signal });
          const { ChecksumSHA256: checksum } = found;
          // A checksum over parts is none over the bytes.
          const recorded = checksum === undefined || checksum.includes('-') ? null : Buffer.from(checksum, 'base64').toString('hex');
          return { version: found.VersionId ?? 'null', at: utc(found.LastModified), size: found.ContentLength ?? 0, recorded };
        } catch (error) {
          // 405: that version is a delete marker.
          if (['NotFound', 'NoSuchKey', 'NoSuchVersion', 'MethodNotAllowed', '405'].includes(awsCodeOf(error))) return null;
          throw error;
        }
      }),
    async read(connection, key, version) {
      const { Body, ContentLength = 0 } = await get(connection, key, version);
      if (ContentLength > maxText) throw new StepError('object-too-large', `${key} has ${ContentLength} bytes; at most ${maxText} are read`);
      return (await Body?.transformToString()) ?? '';
    },
    async digest(connection, key, version, signal) {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of bytesOf(await get(connection, key, version))) {
        signal.throwIfAborted();
        hash.update(chunk);
        size += chunk.length;
      }
      return { sha256: hash.digest('hex'), size };
    },
  };
}

function clientFor(details: { readonly region: string; readonly profile?: string }, runId: string, { S3Client }: Sdk, { clients }: S3Shared): S3Client {
  const key = JSON.stringify([details.region, details.profile ?? null]);
  const known = clients.get(key);
  if (known !== undefined) return known;
  const elsewhere = ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].some((name) => (process.env[name] ?? '') !== '');
  // Other services than Amazon's seldom have a host name for each bucket.
  const client = new S3Client({ ...clientConfig(details, runId), forcePathStyle: elsewhere });
  clients.set(key, client);
  return client;
}

async function versionsOf(client: S3Client, { ListObjectVersionsCommand }: Sdk, { Bucket, Key }: { Bucket: string; Key: string }, abortSignal: AbortSignal): Promise<ObjectVersion[]> {
  const found: ObjectVersion[] = [];
  let page: ListObjectVersionsCommandOutput | undefined;
  do {
    page = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key, KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker }), { abortSignal });
    const all = [...(page.Versions ?? []).map((version) => ({ ...version, deleteMarker: false })), ...(page.DeleteMarkers ?? []).map((marker) => ({ ...marker, Size: 0, deleteMarker: true }))];
    // The prefix also fits longer keys, which come after this one.
    const own = all.filter((version) => version.Key === Key);
    found.push(...own.map(({ VersionId, LastModified, Size, IsLatest, deleteMarker }) => ({ version: VersionId ?? 'null', at: utc(LastModified), size: Size ?? 0, latest: IsLatest === true, deleteMarker })));
    if (own.length === 0 && found.length > 0) break;
  } while (page.IsTruncated === true);
  return newestFirst(found);
}

/** S3 lists the versions of a key newest first, markers apart from versions; of one second, that order says which came last. */
function newestFirst(versions: readonly ObjectVersion[]): ObjectVersion[] {
  return versions.toSorted((a, b) => Number(b.latest) - Number(a.latest) || Date.parse(b.at) - Date.parse(a.at));
}

function bytesOf({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  return (Body ?? []) as unknown as AsyncIterable<Uint8Array>;
}

function versionOf(version: string | undefined): { VersionId?: string } {
  return version === undefined || version === 'null' ? {} : { VersionId: version };
}

function utc(date: Date | undefined): string {
  return (date ?? new Date(0)).toISOString();
}
