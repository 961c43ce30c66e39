import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { IamPolicy } from '../../src/cli/permissions/iam.js';
import { iamUser, type Credentials } from '../components/iam.js';
import { requireComponent } from '../components/index.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { account, estate, region, volumeIds } from '../clients/ec2/lib.js';
import { muster, removeFolders, root, scratch } from '../drills/harness.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
const suite = await requireComponent(motoComponent);

/** moto compares actions and nothing else, and does not ask for ec2:CreateTags where a volume is made with tags: for resources and conditions see test/drills/ebs-rights.test.ts. */
const checked = ['ec2:CreateVolume', 'ec2:DeleteVolume', 'ec2:DescribeSnapshots', 'ec2:DescribeVolumes'];

suite('the IAM policy that is printed for a drill', () => {
  let moto: Moto;
  let folder: string;
  let admin: EC2Client;
  let policy: IamPolicy;
  const users = new Map<string, Credentials>();
  const environment = { apiVersion: 'muster/v1', kind: 'Environment', metadata: { name: 'account' }, connections: { aws: { kind: 'aws', role: 'target', provision: 'aws', with: { account, region, tag: { key: 'env', value: 'drill' } } } }, boundary: { aws: [{ account, regions: [region], tag: { key: 'env', value: 'drill' } }] }, runbooks: 'any' };
  const documents = ['runbook.yaml', '--env', 'environment.yaml'];
  const as = (name: string) => {
    const user = users.get(name);
    return { env: { ...moto.env, AWS_ACCESS_KEY_ID: user?.accessKeyId ?? '', AWS_SECRET_ACCESS_KEY: user?.secretAccessKey ?? '' } };
  };

  beforeAll(async () => {
    folder = await scratch();
    await copyFile(join(root, 'test/cli/fixtures/volume.yaml'), join(folder, 'runbook.yaml'));
    await writeFile(join(folder, 'environment.yaml'), JSON.stringify(environment));
    const printed = await muster(folder, ['permissions', ...documents, '--only', 'aws']);
    policy = JSON.parse(printed.stdout) as IamPolicy;
    const actions = [...new Set(policy.Statement.flatMap(({ Action }) => Action))];
    const wanted = [['admin', ['*']] as const, ['least', actions] as const, ...checked.map((left) => [left, actions.filter((action) => action !== left)] as const)];
    moto = await startMoto();
    for (const [name, allowed] of wanted) users.set(name, await iamUser(moto, name.replace(':', '-'), allowed));
    await moto.enforce(true);
    admin = new EC2Client({ region, endpoint: moto.endpoint, credentials: users.get('admin') ?? { accessKeyId: '', secretAccessKey: '' } });
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

  it('asks for the log group alone, where the cluster is audited there', async () => {
    const kubernetes = { kind: 'kubernetes', role: 'target', provision: 'kubeconfig', with: { context: 'staging', namespace: 'shop' } };
    const watch = { required: ['k8s'], with: { k8s: { audit: { cloudwatch: { connection: 'aws', cluster: 'shop' } } } } };
    await writeFile(join(folder, 'audited.yaml'), JSON.stringify({ ...environment, connections: { ...environment.connections, cluster: kubernetes }, watch }));
    const { stdout } = await muster(folder, ['permissions', 'runbook.yaml', '--env', 'audited.yaml', '--only', 'aws']);
    const { Statement } = JSON.parse(stdout) as IamPolicy;
    expect(Statement.find(({ Action }) => Action.includes('logs:FilterLogEvents'))).toEqual({ Sid: expect.any(String), Effect: 'Allow', Action: ['logs:FilterLogEvents'], Resource: [`arn:aws:logs:${region}:${account}:log-group:/aws/eks/shop/cluster:*`], Condition: { StringEquals: { 'aws:RequestedRegion': region } } });
  });

  it.each(checked)('with %s missing is refused before anything is touched, and that is named', async (action) => {
    const before = await volumeIds(admin);
    const { code, stderr } = await muster(folder, ['run', ...documents, '--evidence-dir', 'evidence'], as(action));
    expect({ code, named: stderr.includes(`${action} is denied`) }, stderr).toEqual({ code: 3, named: true });
    expect(await volumeIds(admin)).toEqual(before);
  });
});
