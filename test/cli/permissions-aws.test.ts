import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { IamPolicy } from '../../src/cli/permissions/iam.js';
import { requireComponent } from '../components/index.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { account, estate, region, volumeIds } from '../clients/ec2/lib.js';
import { muster, removeFolders, root, scratch } from '../drills/harness.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const suite = await requireComponent(motoComponent);

/**
 * moto compares actions and nothing else: that the printed resources and conditions let these calls through is not shown here. Nor is
 * ec2:CreateTags, which moto does not ask for where a volume is made with tags.
 */
const checked = ['ec2:CreateVolume', 'ec2:DeleteVolume', 'ec2:DescribeSnapshots', 'ec2:DescribeVolumes'];

interface User {
  readonly name: string;
  readonly key: string;
  readonly secret: string;
}

suite('the IAM policy that is printed for a drill', () => {
  let moto: Moto;
  let folder: string;
  let admin: EC2Client;
  let policy: IamPolicy;
  const users = new Map<string, User>();
  const environment = { apiVersion: 'muster/v1', kind: 'Environment', metadata: { name: 'account' }, connections: { aws: { kind: 'aws', role: 'target', provision: 'aws', with: { account, region, tag: { key: 'env', value: 'drill' } } } }, boundary: { aws: [{ account, regions: [region], tag: { key: 'env', value: 'drill' } }] }, runbooks: 'any' };
  const documents = ['runbook.yaml', '--env', 'environment.yaml'];
  const as = (name: string) => {
    const user = users.get(name);
    return { env: { ...moto.env, AWS_ACCESS_KEY_ID: user?.key ?? '', AWS_SECRET_ACCESS_KEY: user?.secret ?? '' } };
  };

  beforeAll(async () => {
    folder = await scratch();
    await copyFile(join(root, 'test/cli/fixtures/volume.yaml'), join(folder, 'runbook.yaml'));
    await writeFile(join(folder, 'environment.yaml'), JSON.stringify(environment));
    const printed = await muster(folder, ['permissions', ...documents, '--only', 'aws']);
    policy = JSON.parse(printed.stdout) as IamPolicy;
    const actions = [...new Set(policy.Statement.flatMap(({ Action }) => Action))];
    const wanted = [['admin', ['*']] as const, ['least', actions] as const, ...checked.map((left) => [left, actions.filter((action) => action !== left)] as const)];
    moto = await startMoto({ enforceAfter: wanted.length * 3 });
    for (const [name, allowed] of wanted) users.set(name, await makeUser(moto, name, allowed));
    const { key, secret } = users.get('admin') ?? { key: '', secret: '' };
    admin = new EC2Client({ region, endpoint: moto.endpoint, credentials: { accessKeyId: key, secretAccessKey: secret } });
    await estate(admin, { env: 'drill', app: 'shop' });
  });
  afterAll(async () => {
    await moto?.stop();
    await removeFolders();
  });

  it('names every action with the tag, the region and the kind of object that it is for', () => {
    const rule = (action: string) => policy.Statement.filter(({ Action }) => Action.includes(action)).map(({ Resource, Condition }) => [Resource[0], Condition?.StringEquals]);
    expect(rule('ec2:CreateVolume')).toEqual([
      [`arn:aws:ec2:${region}::snapshot/*`, { 'aws:RequestedRegion': region }],
      [`arn:aws:ec2:${region}:${account}:volume/*`, { 'aws:RequestedRegion': region, 'aws:RequestTag/env': 'drill' }],
    ]);
    expect(rule('ec2:DeleteVolume')).toEqual([[`arn:aws:ec2:${region}:${account}:volume/*`, { 'aws:RequestedRegion': region, 'aws:ResourceTag/env': 'drill' }]]);
    expect(rule('ec2:CreateTags')).toEqual([[`arn:aws:ec2:${region}:${account}:volume/*`, { 'aws:RequestedRegion': region, 'aws:RequestTag/env': 'drill', 'ec2:CreateAction': 'CreateVolume' }]]);
    expect(policy.Statement.flatMap(({ Action }) => Action).filter((action) => action.includes('*'))).toEqual([]);
  });

  it('is enough for the drill to pass', async () => {
    const before = await volumeIds(admin);
    const { code, stderr } = await muster(folder, ['run', ...documents, '--evidence-dir', 'evidence'], as('least'));
    expect(code, stderr).toBe(0);
    expect(await volumeIds(admin)).toEqual(before);
  });

  it.each(checked)('with %s missing is refused before anything is touched, and that is named', async (action) => {
    const before = await volumeIds(admin);
    const { code, stderr } = await muster(folder, ['run', ...documents, '--evidence-dir', 'evidence'], as(action));
    expect({ code, named: stderr.includes(`${action} is denied`) }, stderr).toEqual({ code: 3, named: true });
    expect(await volumeIds(admin)).toEqual(before);
  });
});

async function makeUser(moto: Moto, name: string, actions: readonly string[]): Promise<User> {
  const UserName = name.replace(':', '-');
  const ask = async (Action: string, more: Record<string, string> = {}): Promise<string> => {
    const body = new URLSearchParams({ Action, Version: '2010-05-08', UserName, ...more });
    // Not signed: moto asks for that only once it enforces.
    const response = await fetch(moto.endpoint, { method: 'POST', body, headers: { authorization: 'AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none' } });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  };
  await ask('CreateUser');
  await ask('PutUserPolicy', { PolicyName: 'drill', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] }) });
  const made = await ask('CreateAccessKey');
  const part = (tag: string) => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(made)?.[1] ?? '';
  return { name, key: part('AccessKeyId'), secret: part('SecretAccessKey') };
}
