import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { ListObjectVersionsCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client, type ListObjectVersionsCommandOutput, type ObjectVersion } from '@aws-sdk/client-s3';
import { messageOf } from '../../engine/errors.js';
import { maxText, StoreError, type EvidenceStore, type Lock, type StoredFile } from './port.js';

export interface S3Options {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  /** How long nobody may remove what is written; needs Object Lock. Absent: as the bucket's default rule says, if it has one. */
  readonly retainMs: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * A bucket, with whatever credentials, region and endpoint the usual AWS variables and files give. Written once by conditional
 * writes; Object Lock holds it. Removing an object without its version only hides it, so versions are listed.
 */
export function s3Store({ bucket, prefix, retainMs, env }: S3Options): EvidenceStore {
  const given = (...names: string[]) => names.map((name) => env[name]).find((value) => value !== undefined && value !== '');
  const region = given('AWS_REGION', 'AWS_DEFAULT_REGION');
  const client = quietly(() => new S3Client({
    ...(region === undefined ? {} : { region }),
    // Other services than Amazon's seldom have a host name for each bucket.
    forcePathStyle: given('AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL') !== undefined,
    // The second: of silence. A large bundle may take long.
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000 },
    // What goes wrong is said once, by us.
    logger: silent,
  }));
  const where = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const keyOf = (name: string) => (prefix === '' ? name : `${prefix}/${name}`);
  const nameOf = (key: string) => (prefix === '' ? key : key.slice(prefix.length + 1));
  return {
    where,
    list: (folder) =>
      saying(`cannot list ${where}/${folder}`, async () => {
        // Newest first for each key: the last is what was written first.
        const first = new Map<string, string | null>();
        for await (const { Key, VersionId } of versions(client, bucket, keyOf(`${folder}/`))) if (Key !== undefined) first.set(nameOf(Key), VersionId ?? null);
        return [...first].map(([name, version]) => ({ name, version }));
      }),
    read: ({ name, version }) =>
      saying(`cannot read ${where}/${name}`, async () => {
        const { Body, ContentLength } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(name), ...versionOf(version) }));
        if (ContentLength === undefined || ContentLength > maxText) throw new StoreError(`${where}/${name} is larger than ${maxText} bytes`);
        return (await Body?.transformToString()) ?? '';
      }),
    create: (name, content) =>
      saying(`cannot write ${where}/${name}`, async () => {
        const target = { Bucket: bucket, Key: keyOf(name) };
        const retention = retainMs === undefined ? {} : ({ ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: new Date(Date.now() + retainMs) } as const);
        const { VersionId } = await client.send(new PutObjectCommand({ ...target, ...retention, ...(await bodyOf(content)), IfNoneMatch: '*' }));
        return lockOf(await client.send(new HeadObjectCommand({ ...target, ...versionOf(VersionId) })));
      }),
  };
}

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The client warns of the Node versions of its own future; whoever runs a drill can do nothing about that. */
function quietly<T>(make: () => T): T {
  const name = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';
  const before = process.env[name];
  process.env[name] = 'true';
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

async function* versions(client: S3Client, bucket: string, prefix: string): AsyncGenerator<ObjectVersion> {
  let page: ListObjectVersionsCommandOutput | undefined;
  do {
    page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker }));
    yield* page.Versions ?? [];
  } while (page.IsTruncated === true);
}

/** A bucket without versions calls them all `null`. */
function versionOf(version: string | null | undefined): { VersionId?: string } {
  return version === null || version === undefined || version === 'null' ? {} : { VersionId: version };
}

/** The client sends again, where the service is busy, what is in memory; a stream it cannot. */
const maxInMemory = 8 * 1024 * 1024;

/** With its checksum, so that what arrives is what was packed. */
async function bodyOf(content: string | StoredFile) {
  if (typeof content === 'string') return { Body: content, ContentType: 'application/json' } as const;
  const { size } = await stat(content.file);
  const body = size <= maxInMemory ? await readFile(content.file) : createReadStream(content.file);
  return { Body: body, ContentLength: size, ContentType: 'application/zip', ChecksumAlgorithm: 'SHA256', ChecksumSHA256: Buffer.from(content.sha256, 'hex').toString('base64') } as const;
}

function lockOf({ ObjectLockMode, ObjectLockRetainUntilDate }: { readonly ObjectLockMode?: string | undefined; readonly ObjectLockRetainUntilDate?: Date | undefined }): Lock | null {
  if (ObjectLockMode === undefined || ObjectLockRetainUntilDate === undefined) return null;
  return { mode: ObjectLockMode === 'COMPLIANCE' ? 'compliance' : 'governance', until: ObjectLockRetainUntilDate.toISOString() };
}

async function saying<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const code = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : '';
    throw new StoreError(`${what}: ${code === 'PreconditionFailed: ' ? 'such an object is there already' : `${code}${messageOf(error)}`}`, { cause: error });
  }
}
