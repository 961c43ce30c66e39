import { createHash } from 'node:crypto';
import { CreateBucketCommand, DeleteObjectCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGuard } from '../../../src/engine/guard.js';
import { guardPolicy } from '../../../src/engine/guard/policy.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { step as checksum } from '../../../src/steps/s3/object-checksum.js';
import { step as exists } from '../../../src/steps/s3/object-exists.js';
import { step as versions } from '../../../src/steps/s3/object-versions.js';
import { versionAt } from '../../../src/steps/s3/lib/object.js';
import { scopeFor } from '../../clients/lib/scope.js';
import { requireComponent } from '../../components/index.js';
import { motoComponent, startMoto, type Moto } from '../../components/moto.js';
import { contextFor, toldOf } from '../lib/context.js';

const describe = await requireComponent(motoComponent);
const details = { bucket: 'uploads', region: 'eu-central-1', prefix: 'app' };

describe('s3 steps on moto', { timeout: 60_000 }, () => {
  let moto: Moto;
  let s3: S3Client;
  const earlier = { ...process.env };
  const written: string[] = [];
  const world = new LiveWorld();
  world.apply({ type: 'connection.provisioned', data: { connection: 'uploads', kind: 'bucket', role: 'source', provision: 's3-bucket', details } });
  const guard = createGuard(guardPolicy({ environment: { connections: { uploads: { kind: 'bucket', role: 'source', provision: 's3-bucket', with: {}, does: '' } }, endpoints: {}, boundary: { buckets: ['uploads/app'] }, forbidden: [] }, world, ownDirectories: [], runbookDir: '/' }));
  const context = () => contextFor({ world, scope: scopeFor(guard) });
  const put = async (key: string, body: string) => {
    const { VersionId } = await s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: key, Body: body, ChecksumAlgorithm: 'SHA256' }));
    written.push(VersionId ?? '');
  };

  beforeAll(async () => {
    moto = await startMoto();
    Object.assign(process.env, moto.env);
    s3 = new S3Client({ endpoint: moto.endpoint, region: 'eu-central-1', forcePathStyle: true, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
    await s3.send(new CreateBucketCommand({ Bucket: 'uploads', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
    await s3.send(new PutBucketVersioningCommand({ Bucket: 'uploads', VersioningConfiguration: { Status: 'Enabled' } }));
    await put('app/report.csv', 'first');
    await put('app/report.csv', 'second');
    await put('app/report.csv.bak', 'another object');
    await put('app/gone.csv', 'x');
    await s3.send(new DeleteObjectCommand({ Bucket: 'uploads', Key: 'app/gone.csv' }));
  });
  afterAll(async () => {
    for (const name of Object.keys(moto.env)) {
      if (earlier[name] === undefined) delete process.env[name];
      else process.env[name] = earlier[name];
    }
    s3.destroy();
    await moto.stop();
  });

  test('versions of one key, newest first, without those of keys that begin alike', async () => {
    const ctx = context();
    const found = await versions.run({ bucket: 'uploads', key: 'report.csv', atLeast: 2 }, ctx);
    expect(found).toMatchObject({ versions: 2, deleteMarkers: 0, latest: { version: written[1], deleteMarker: false }, previous: { version: written[0] } });
    expect(toldOf(ctx, 'evidence object-versions')).toMatchObject([{ bucket: 'uploads', key: 'app/report.csv', versioning: 'enabled', versions: 2, asked: null }]);
    await expect(versions.run({ bucket: 'uploads', key: 'report.csv', atLeast: 3 }, context())).rejects.toMatchObject({ code: 'too-few-versions' });
  });

  test('a deleted object is there at its version only', async () => {
    expect(await versions.run({ bucket: 'uploads', key: 'gone.csv' }, context())).toMatchObject({ versions: 1, deleteMarkers: 1, latest: { deleteMarker: true }, previous: { version: written[3] } });
    const ctx = context();
    await expect(exists.run({ bucket: 'uploads', key: 'gone.csv' }, ctx)).rejects.toMatchObject({ code: 'no-such-version', message: expect.stringContaining('it was deleted at') as unknown });
    expect(toldOf(ctx, 'evidence object-versions')).toMatchObject([{ deleteMarkers: 1, asked: { found: null } }]);
    expect(await exists.run({ bucket: 'uploads', key: 'gone.csv', version: written[3] ?? '' }, context())).toMatchObject({ version: written[3], size: 1 });
    await expect(exists.run({ bucket: 'uploads', key: 'never.csv' }, context())).rejects.toMatchObject({ code: 'no-such-version' });
    await expect(exists.run({ bucket: 'uploads', key: 'report.csv', at: '2020-01-01T00:00:00Z' }, context())).rejects.toMatchObject({ code: 'no-such-version' });
  });

  test('checksums are of the bytes, and of the version that was asked for', async () => {
    const of = (text: string) => createHash('sha256').update(text).digest('hex');
    expect(await checksum.run({ bucket: 'uploads', key: 'report.csv', version: written[0] ?? '', sha256: of('first') }, context())).toMatchObject({ sha256: of('first'), size: 5 });
    await expect(checksum.run({ bucket: 'uploads', key: 'report.csv', sha256: of('first') }, context())).rejects.toMatchObject({ code: 'checksum-differs' });
  });

  test('what is outside the boundary is refused before it is sent', async () => {
    const outside = new LiveWorld();
    outside.apply({ type: 'connection.provisioned', data: { connection: 'uploads', kind: 'bucket', role: 'source', provision: 's3-bucket', details: { ...details, prefix: 'application' } } });
    await expect(versions.run({ bucket: 'uploads', key: 'report.csv' }, contextFor({ world: outside, scope: scopeFor(guard) }))).rejects.toThrow(/outside the boundary.*boundary: { buckets: \["uploads\/application\/report.csv"\] }/);
  });
});

test('a version of the very second that is asked for does not count: it may have come later', () => {
  const version = (name: string, at: string, deleteMarker = false) => ({ version: name, at, size: 1, latest: false, deleteMarker });
  const all = [version('c', '2026-11-20T10:00:09.000Z', true), version('b', '2026-11-20T10:00:05.000Z'), version('a', '2026-11-20T10:00:01.000Z')];
  expect(versionAt(all, '2026-11-20T10:00:05.700Z')?.version).toBe('a');
  expect(versionAt(all, '2026-11-20T10:00:06.000Z')?.version).toBe('b');
  expect(versionAt(all, '2026-11-20T10:00:10.000Z')).toBeUndefined();
});
