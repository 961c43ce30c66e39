import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { CreateTagsCommand } from '@aws-sdk/client-ec2';
import { ec2Error, startAwsProxy } from '../../components/aws-proxy.js';
import { requireComponent } from '../../components/index.js';
import { motoComponent, startMoto, type Moto } from '../../components/moto.js';
import type { Ec2Change } from '../../../src/clients/ec2/port.js';
import { account, drillTag, estate, inside, other, portsOf, region, rig, volumeIds, withEnv, zone } from './lib.js';

const suite = await requireComponent(motoComponent);
let moto: Moto;

suite('EC2 as a step reaches it', () => {
  beforeAll(async () => {
    moto = await startMoto();
  });
  beforeEach(() => moto.reset());
  afterAll(() => moto.stop());

  const create = (snapshot: string, token = 'token-1'): Ec2Change => ({ action: 'CreateVolume', snapshot, zone, token, tags: { purpose: 'restore' } });

  it('makes a volume that bears the tags of the boundary and of the run, and removes it again', async () => {
    const { snapshot } = await estate(other(moto));
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig());
      const aws = ec2.of('aws');
      const { volume } = await aws.change(create(snapshot));
      expect(volume).toMatchObject({ zone, sizeGiB: 8, snapshot, tags: { purpose: 'restore', env: 'drill', 'muster-run': '20261120T101704Z-test-abcdef' } });
      expect(await aws.volume(volume?.id ?? '')).toEqual(volume);
      await aws.change({ action: 'DeleteVolume', volume: volume?.id ?? '' });
      expect(await aws.volume(volume?.id ?? '')).toBeUndefined();
    });
  });

  it('deletes nothing that another made, even inside the boundary', async () => {
    const { volume } = await estate(other(moto));
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig());
      await expect(ec2.of('aws').change({ action: 'DeleteVolume', volume })).rejects.toMatchObject({ code: 'not-ours' });
    });
    expect(await volumeIds(other(moto))).toContain(volume);
  });

  it('alters nothing without the tag of the boundary', async () => {
    const { volume, instance } = await estate(other(moto), { env: 'shop' });
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig());
      await expect(ec2.of('aws').change({ action: 'DetachVolume', volume, instance })).rejects.toThrow(`${volume} does not bear the tag env=drill that the boundary asks for`);
    });
  });

  it('alters nothing through a connection of role production, nor what bears its tag', async () => {
    const { volume, instance } = await estate(other(moto));
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig({ role: 'production' }));
      expect((await ec2.of('aws').volume(volume))?.state).toBe('in-use');
      await expect(ec2.of('aws').change({ action: 'DetachVolume', volume, instance })).rejects.toThrow('role production, which is read-only');
    });
  });

  it('refuses credentials of another account before anything else is asked', async () => {
    await withEnv(moto.env, async () => {
      const elsewhere = { account: '210987654321', region, tag: drillTag };
      const { ec2, aws } = portsOf(await rig({ with: elsewhere, boundary: [{ ...inside, account: '210987654321' }] }));
      await expect(ec2.of('aws').snapshots({})).rejects.toThrow(`connection "aws" is account 210987654321, the credentials are of account ${account}`);
      await expect(aws.identity('aws')).rejects.toThrow('the credentials are of account');
    });
  });

  it.each([
    ['account', { ...inside, account: '210987654321' }],
    ['region', { ...inside, regions: ['us-east-1'] }],
  ])('refuses an %s outside the boundary', async (_what, boundary) => {
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig({ boundary: [boundary] }));
      await expect(ec2.of('aws').snapshots({})).rejects.toThrow('outside the boundary');
    });
  });

  it('refuses an AWS_PROFILE that is not what it was', async () => {
    const made = await withEnv(moto.env, () => rig());
    await withEnv({ ...moto.env, AWS_PROFILE: 'admin' }, () => expect(portsOf(made).ec2.of('aws').snapshots({})).rejects.toThrow('AWS_PROFILE was not set and is now admin'));
    await withEnv({ ...moto.env, AWS_ENDPOINT_URL_EC2: 'http://127.0.0.1:9' }, () => expect(portsOf(made).ec2.of('aws').snapshots({})).rejects.toThrow('AWS_ENDPOINT_URL_EC2 was not set and is now http://127.0.0.1:9'));
  });

  it("refuses to go on where a profile's program comes to give credentials of another account, and sends them nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'muster-aws-'));
    const proxy = await startAwsProxy(moto.endpoint);
    try {
      const { snapshot } = await estate(other(moto));
      const role = await (await fetch(moto.endpoint, { method: 'POST', body: new URLSearchParams({ Action: 'AssumeRole', Version: '2011-06-15', RoleArn: 'arn:aws:iam::210987654321:role/admin', RoleSessionName: 'elsewhere' }), headers: { authorization: `AWS4-HMAC-SHA256 Credential=setup/20260101/${region}/sts/aws4_request, SignedHeaders=host, Signature=none` } })).text();
      const part = (tag: string) => new RegExp(`<${tag}>([^<]+)<`).exec(role)?.[1];
      // So near its end that the SDK asks for others before each call.
      const answer = (keys: object) => writeFile(join(folder, 'keys.json'), JSON.stringify({ Version: 1, Expiration: new Date(Date.now() + 60_000).toISOString(), ...keys }));
      await writeFile(join(folder, 'config'), `[profile drill]\nregion = ${region}\ncredential_process = /bin/cat ${join(folder, 'keys.json')}\n`);
      await answer({ AccessKeyId: 'first', SecretAccessKey: 'f1rst' });
      const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, ...env } = moto.env;
      await withEnv({ ...env, AWS_ENDPOINT_URL: proxy.endpoint, AWS_CONFIG_FILE: join(folder, 'config'), AWS_PROFILE: 'drill' }, async () => {
        const { ec2 } = portsOf(await rig());
        await ec2.of('aws').change(create(snapshot));
        await answer({ AccessKeyId: 'second', SecretAccessKey: 's3cond' });
        await ec2.of('aws').snapshots({});
        const theirs = { accessKeyId: part('AccessKeyId') ?? '', secretAccessKey: part('SecretAccessKey') ?? '', sessionToken: part('SessionToken') ?? '' };
        await answer({ AccessKeyId: theirs.accessKeyId, SecretAccessKey: theirs.secretAccessKey, SessionToken: theirs.sessionToken });
        // The SDK may give the former once more while it asks for others.
        await ec2.of('aws').snapshots({}).catch(() => undefined);
        proxy.seen.length = 0;
        await expect(ec2.of('aws').change(create(snapshot, 'token-2'))).rejects.toThrow('is account 123456789012, the credentials are of account 210987654321');
        await expect(ec2.of('aws').snapshots({})).rejects.toThrow('the credentials are of account 210987654321');
        expect(new Set(proxy.seen)).toEqual(new Set(['GetCallerIdentity']));
        expect(await volumeIds(other(moto, theirs))).toEqual([]);
      });
    } finally {
      await proxy.stop();
      await rm(folder, { recursive: true });
    }
  });

  it('asks by a dry run what would be permitted, and alters nothing', async () => {
    const { snapshot, volume, instance } = await estate(other(moto));
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig());
      const before = await volumeIds(other(moto));
      expect(await ec2.of('aws').dryRun(create(snapshot))).toMatchObject({ result: 'permitted' });
      expect(await ec2.of('aws').dryRun({ action: 'DetachVolume', volume, instance })).toMatchObject({ result: 'permitted' });
      expect(await volumeIds(other(moto))).toEqual(before);
    });
  });

  it('finds snapshots of this account by their tags, with the moment whose data they hold', async () => {
    const { snapshot, volume } = await estate(other(moto), { app: 'shop*', env: 'drill' });
    await estate(other(moto), { app: 'shop-2' });
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig());
      const found = await ec2.of('aws').snapshots({ tags: { app: 'shop*' } });
      expect(found).toMatchObject([{ id: snapshot, volume, owner: account, state: 'completed', tier: 'standard' }]);
      expect(Date.parse(found[0]?.startedAt ?? '')).toBeGreaterThan(Date.now() - 60_000);
    });
  });

  it('says that an endpoint does not know a call where the answer is no answer of AWS', async () => {
    await withEnv(moto.env, async () => {
      const { aws } = portsOf(await rig());
      expect(await aws.trail('aws', new Date())).toBeUndefined();
    });
  });

  it('says that nothing listens, which may be tried again', async () => {
    await withEnv({ ...moto.env, AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }, async () => {
      const { aws } = portsOf(await rig());
      await expect(aws.identity('aws')).rejects.toMatchObject({ code: 'aws-unreachable', retryable: true });
    });
  });

  it('says that there are no credentials', async () => {
    await withEnv({ AWS_ENDPOINT_URL: moto.endpoint, AWS_REGION: region, AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' }, async () => {
      const { aws } = portsOf(await rig());
      await expect(aws.identity('aws')).rejects.toMatchObject({ code: 'aws-credentials', retryable: false });
    });
  });

  it('has expired credentials renewed by whoever sits at the drill, and asks again whose they are', async () => {
    const proxy = await startAwsProxy(moto.endpoint);
    try {
      const { snapshot } = await estate(other(moto));
      await withEnv({ ...moto.env, AWS_ENDPOINT_URL: proxy.endpoint }, async () => {
        const made = await rig();
        const asked: string[] = [];
        const renew = (what: string) => {
          asked.push(what);
          proxy.meddle(undefined);
          return Promise.resolve(true);
        };
        proxy.meddle(({ action }) => (action === 'CreateVolume' ? ec2Error('ExpiredToken', 'The security token included in the request is expired') : undefined));
        await expect(portsOf(made).ec2.of('aws').change(create(snapshot))).rejects.toMatchObject({ code: 'aws-credentials' });
        proxy.seen.length = 0;
        const { volume } = await portsOf({ ...made, scope: { ...made.scope, renew } }).ec2.of('aws').change(create(snapshot));
        expect(volume?.state).toBe('available');
        expect(asked).toEqual([expect.stringContaining('the credentials have expired')]);
        expect(proxy.seen.slice(0, 3)).toEqual(['CreateVolume', 'GetCallerIdentity', 'CreateVolume']);
      });
    } finally {
      await proxy.stop();
    }
  });

  it('tells tags of one object from those of another', async () => {
    const client = other(moto);
    const { volume, instance } = await estate(client, { env: 'shop' });
    await client.send(new CreateTagsCommand({ Resources: [volume], Tags: [{ Key: 'env', Value: 'drill' }] }));
    await withEnv(moto.env, async () => {
      const { ec2 } = portsOf(await rig());
      await expect(ec2.of('aws').change({ action: 'DetachVolume', volume, instance })).rejects.toThrow(`${instance} does not bear the tag`);
    });
  });
});
