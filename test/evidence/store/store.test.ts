import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutBucketVersioningCommand, PutObjectCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { directoryStore } from '../../../src/evidence/store/directory.js';
import { StoreError, type EvidenceStore } from '../../../src/evidence/store/port.js';
import { deposit, noteRefused, openRegistrations, register, type Registration } from '../../../src/evidence/store/registrations.js';
import { s3Store } from '../../../src/evidence/store/s3.js';
import { motoComponent, startMoto, type Moto } from '../../components/moto.js';
import { requireComponent } from '../../components/index.js';
import { workFolder } from '../lib/bundle.js';

let folder: Awaited<ReturnType<typeof workFolder>>;
beforeAll(async () => {
  folder = await workFolder();
});
afterAll(() => folder.remove());

const registration = (run: string): Registration => ({ schema: 'muster/registration/v1', run, plan: 'a'.repeat(64), runbook: { name: 'one', version: '1.0.0' }, environment: 'here', operator: 'ada', host: 'host', at: '2026-11-20T07:00:00.000Z' });
const [first, second, third] = ['20261120T070000Z-one-aaaaaa', '20261120T080000Z-two-bbbbbb', '20261120T090000Z-one-cccccc'] as const;

async function zipOf(text: string): Promise<{ file: string; sha256: string }> {
  const file = join(folder.path, `${createHash('sha256').update(text).digest('hex')}.zip`);
  await writeFile(file, text);
  return { file, sha256: createHash('sha256').update(text).digest('hex') };
}

/** What every store does, whatever it is made of. */
function keepsItsPromises(fresh: () => Promise<EvidenceStore>): void {
  it('lists the registered runs whose bundles are not there, the latest one too', async () => {
    const store = await fresh();
    expect((await register(store, registration(first))).open).toEqual([]);
    await deposit(store, first, await zipOf('bundle'));
    expect((await register(store, registration(second))).open).toEqual([]);
    await noteRefused(store, second, 'a lock is held', '2026-11-20T08:00:01.000Z');
    const { open } = await register(store, registration(third));
    expect(open).toEqual([{ run: second, plan: 'a'.repeat(64), operator: 'ada', at: '2026-11-20T07:00:00.000Z', refused: true }]);
    expect((await openRegistrations(store)).map(({ run }) => run)).toEqual([second, third]);
  });

  it('never replaces what was written', async () => {
    const store = await fresh();
    await register(store, registration(first));
    await expect(register(store, { ...registration(first), operator: 'eve' })).rejects.toThrow(StoreError);
    await deposit(store, first, await zipOf('bundle'));
    await expect(deposit(store, first, await zipOf('another'))).rejects.toThrow(StoreError);
    const [written] = await store.list('registered');
    expect(JSON.parse(await store.read(written ?? { name: '', version: null }))).toEqual(registration(first));
    expect(await store.list('bundles')).toHaveLength(1);
  });

  it('lists a registration that nobody can read as one', async () => {
    const store = await fresh();
    await store.create(`registered/${first}.json`, '{"run":');
    await store.create(`registered/${second}.json`, JSON.stringify(registration(first)));
    await store.create(`registered/${third}.json`, 'x'.repeat(70_000));
    await store.create('registered/readme.json', '{}');
    const nothing = { plan: null, operator: null, at: null, refused: false };
    expect(await openRegistrations(store)).toEqual([first, second, third].map((run) => ({ run, ...nothing })));
  });
}

describe('a folder as evidence store', () => {
  let count = 0;
  const fresh = async () => {
    const path = join(folder.path, `store-${(count += 1)}`);
    await mkdir(path);
    return directoryStore(path);
  };
  keepsItsPromises(fresh);

  it('must be there: a share that is not mounted is no empty store', async () => {
    const store = directoryStore(join(folder.path, 'unmounted'));
    await expect(openRegistrations(store)).rejects.toThrow(/cannot list .*unmounted.*ENOENT/);
    await expect(store.create('registered/x.json', '{}')).rejects.toThrow(/cannot write .*unmounted.*ENOENT/);
  });

  it('holds the bundle byte for byte, and nothing unfinished', async () => {
    const store = await fresh();
    await deposit(store, first, await zipOf('bundle'));
    expect(await readFile(join(store.where, 'bundles', `${first}.zip`), 'utf8')).toBe('bundle');
    await expect(deposit(store, second, { file: join(folder.path, 'nothing.zip'), sha256: '' })).rejects.toThrow(StoreError);
    expect((await store.list('bundles')).map(({ name }) => name)).toEqual([`bundles/${first}.zip`]);
  });

  it('says when it cannot be written', async () => {
    const store = await fresh();
    await writeFile(join(store.where, 'bundles'), '');
    await expect(deposit(store, first, await zipOf('bundle'))).rejects.toThrow(/cannot write .*EEXIST/);
    await expect(register(store, registration(first))).rejects.toThrow(/cannot list .*ENOTDIR/);
  });
});

const describeMoto = await requireComponent(motoComponent);

describeMoto('a bucket as evidence store', () => {
  let moto: Moto;
  let client: S3Client;
  beforeAll(async () => {
    moto = await startMoto();
    for (const [name, value] of Object.entries(moto.env)) vi.stubEnv(name, value);
    client = new S3Client({ region: 'eu-central-1', endpoint: moto.endpoint, forcePathStyle: true });
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    client.destroy();
    await moto.stop();
  });
  beforeEach(() => moto.reset());

  const bucket = 'evidence';
  const day = 86_400_000;
  const store = (more: { prefix?: string; retainMs?: number } = {}) => s3Store({ bucket, prefix: more.prefix ?? 'drills/prod', retainMs: more.retainMs, env: moto.env });
  const bucketOf = (locked: boolean) => client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' }, ObjectLockEnabledForBucket: locked }));
  const versioned = () => client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const defaultRule = (Mode: 'GOVERNANCE' | 'COMPLIANCE') => client.send(new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode, Days: 400 } } } }));
  const key = `drills/prod/registered/${first}.json`;

  describe('without versions', () => keepsItsPromises(async () => {
    await bucketOf(false);
    return store();
  }));

  describe('with versions', () => keepsItsPromises(async () => {
    await bucketOf(false);
    await versioned();
    return store({ prefix: '' });
  }));

  it('is held by the default rule of the bucket, and says so', async () => {
    await bucketOf(true);
    await defaultRule('GOVERNANCE');
    const { lock } = await register(store(), registration(first));
    expect(lock?.mode).toBe('governance');
    expect(Date.parse(lock?.until ?? '')).toBeGreaterThan(Date.now() + 399 * day);
  });

  it('is held as long as the environment says: nobody removes a registration or a bundle', async () => {
    await bucketOf(true);
    const held = store({ retainMs: 30 * day });
    const { lock } = await register(held, registration(first));
    expect(lock?.mode).toBe('compliance');
    expect((await deposit(held, first, await zipOf('bundle')))?.mode).toBe('compliance');
    for (const Key of [key, `drills/prod/bundles/${first}.zip`]) {
      const { VersionId } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }));
      await expect(client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }))).rejects.toThrow(/AccessDenied|Access Denied/);
    }
  });

  it('still lists a registration that somebody hid, and reads what was written first', async () => {
    await bucketOf(true);
    await defaultRule('COMPLIANCE');
    await register(store(), registration(first));
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: JSON.stringify({ ...registration(first), operator: 'eve' }) }));
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    expect(await openRegistrations(store())).toMatchObject([{ run: first, operator: 'ada' }]);
  });

  it('finds all of many', async () => {
    await bucketOf(false);
    await versioned();
    const runs = Array.from({ length: 1_100 }, (_, index) => `20261120T070000Z-many-${index.toString(16).padStart(6, '0')}`);
    for (let at = 0; at < runs.length; at += 50) await Promise.all(runs.slice(at, at + 50).map((run) => client.send(new PutObjectCommand({ Bucket: bucket, Key: `drills/prod/registered/${run}.json`, Body: '{}' }))));
    expect(await store().list('registered')).toHaveLength(1_100);
  });

  it.each([100_000, 1_500_000])('holds the bundle byte for byte (6 bytes, %i times)', async (times) => {
    await bucketOf(false);
    const text = 'bundle'.repeat(times);
    await deposit(store(), first, await zipOf(text));
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `drills/prod/bundles/${first}.zip` }));
    expect((await Body?.transformToString()) === text).toBe(true);
  });

  it('refuses to hold where the bucket has no Object Lock, and says what the service says when there is no bucket', async () => {
    await expect(store().list('registered')).rejects.toThrow(/cannot list s3:\/\/evidence\/drills\/prod\/registered: NoSuchBucket/);
    await bucketOf(false);
    await expect(register(store({ retainMs: day }), registration(first))).rejects.toThrow(/Object ?Lock/i);
  });
});
