import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateSnapshotCommand, CreateTagsCommand, type EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { startAws, type Aws } from '../components/aws.js';
import { ec2Error } from '../components/aws-proxy.js';
import { requireComponent } from '../components/index.js';
import { motoComponent } from '../components/moto.js';
import { account, drillTag, estate, inside, other, region, volumeIds } from '../clients/ec2/lib.js';
import { begin, muster, removeFolders, root, runsIn, scratch } from './harness.js';

const suite = await requireComponent(motoComponent);

suite('a drill in an AWS account', () => {
  let aws: Aws;
  let client: EC2Client;
  let folder: string;
  let made: Awaited<ReturnType<typeof estate>>;
  let before: string[];
  beforeAll(async () => {
    aws = await startAws();
    client = other(aws.moto);
  });
  beforeEach(async () => {
    await aws.reset();
    made = await estate(client, { env: 'drill', app: 'shop' });
    before = await volumeIds(client);
    folder = await scratch();
    await copyFile(join(root, 'test/cli/fixtures/volume.yaml'), join(folder, 'runbook.yaml'));
    await environment();
  });
  afterAll(async () => {
    await aws?.stop();
    await removeFolders();
  });

  const environment = (more: { readonly with?: object; readonly role?: string } = {}) =>
    writeFile(join(folder, 'environment.yaml'), stringify({ apiVersion: 'muster/v1', kind: 'Environment', metadata: { name: 'account' }, connections: { aws: { kind: 'aws', role: more.role ?? 'target', provision: 'aws', with: { account, region, tag: drillTag, ...more.with } } }, boundary: { aws: [inside] }, runbooks: 'any' }));
  const edit = async (from: string, to: string) => writeFile(join(folder, 'runbook.yaml'), (await readFile(join(folder, 'runbook.yaml'), 'utf8')).replace(from, to));
  const env = (more: Record<string, string> = {}) => ({ env: { ...aws.env, ...more } });
  const documents = ['runbook.yaml', '--env', 'environment.yaml'];
  const run = (more: Record<string, string> = {}) => muster(folder, ['run', ...documents, '--evidence-dir', 'evidence'], env(more));
  const refused = async (ended: Awaited<ReturnType<typeof run>>, why: string | RegExp): Promise<void> => {
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr.replaceAll(/\s+/g, ' ')).toMatch(why);
    expect(await volumeIds(client)).toEqual(before);
    expect(runsIn(join(folder, 'state'))).toEqual([]);
  };

  it('is tried again by the engine where AWS is busy, as often as the runbook says', async () => {
    await edit('zone: eu-central-1a } }', 'zone: eu-central-1a }, retry: { attempts: 3, delay: 100ms } }');
    let refusedCalls = 0;
    aws.proxy.meddle(({ action, form }) => (action === 'CreateVolume' && form.get('DryRun') !== 'true' && (refusedCalls += 1) < 3 ? ec2Error('RequestLimitExceeded', 'Request limit exceeded.', 503) : undefined));
    const { code, stderr } = await run();
    expect(code, stderr).toBe(0);
    expect(refusedCalls).toBe(3);
    expect(await volumeIds(client)).toEqual(before);
  });

  it('is refused with credentials of another account', async () => {
    await environment({ with: { account: '210987654321' } });
    await writeFile(join(folder, 'environment.yaml'), (await readFile(join(folder, 'environment.yaml'), 'utf8')).replace(`account: "${account}"`, 'account: "210987654321"'));
    await refused(await run(), /is account 210987654321, the credentials are of account 123456789012/);
  });

  it('is refused where AWS_PROFILE is not what it was when the plan was made', async () => {
    const config = join(folder, 'aws-config');
    await writeFile(config, ['staging', 'production'].map((name) => `[profile ${name}]\naws_access_key_id = ${name}\naws_secret_access_key = s\nregion = ${region}\n`).join('\n'));
    const profile = (name: string) => ({ AWS_CONFIG_FILE: config, AWS_PROFILE: name, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' });
    const planned = await muster(folder, ['plan', ...documents, '--out', 'plan.json'], env(profile('staging')));
    expect(planned.code, planned.stderr).toBe(0);
    const drilled = await muster(folder, ['run', '--plan', 'plan.json', '--evidence-dir', 'evidence'], env(profile('production')));
    await refused(drilled, /AWS_PROFILE=staging.*AWS_PROFILE=production/);
  });

  it('is not cleaned up under another AWS_PROFILE than it ran under, and under its own it is', async () => {
    await writeFile(join(folder, 'runbook.yaml'), `${await readFile(join(folder, 'runbook.yaml'), 'utf8')}  - { id: pause, phase: verify, uses: wait, with: { for: 60s } }\n`);
    const config = join(folder, 'aws-config');
    await writeFile(config, ['staging', 'production'].map((name) => `[profile ${name}]\naws_access_key_id = ${name}\naws_secret_access_key = s3cret-of-${name}\nregion = ${region}\n`).join('\n'));
    const profile = (name: string) => env({ AWS_CONFIG_FILE: config, AWS_PROFILE: name, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' });
    const { live, ended } = begin(folder, ['run', ...documents, '--evidence-dir', 'evidence'], profile('staging'));
    await live.until((event) => event.type === 'step.started' && event.step === 'pause');
    live.child.kill('SIGKILL');
    await ended;
    const [run = ''] = runsIn(join(folder, 'state'));
    const seen = aws.proxy.seen.length;
    const other = await muster(folder, ['cleanup', run], profile('production'));
    expect(other.code, other.stderr).not.toBe(0);
    expect(other.stderr.replaceAll(/\s+/g, ' ')).toContain('AWS_PROFILE was staging and is now production');
    expect(aws.proxy.seen.slice(seen)).toEqual([]);
    expect((await volumeIds(client)).length).toBe(before.length + 1);
    const own = await muster(folder, ['cleanup', run], profile('staging'));
    expect([0, 1], own.stderr).toContain(own.code);
    expect(await volumeIds(client)).toEqual(before);
    expect(runsIn(join(folder, 'state'))).toEqual([]);
  });

  it('alters nothing through a connection of role production', async () => {
    await environment({ role: 'production' });
    const { code, stderr } = await run();
    expect(code, stderr).not.toBe(0);
    expect(stderr).toContain('role production, which is read-only');
    expect(await volumeIds(client)).toEqual(before);
  });

  it('is refused where its plan pins a snapshot and there is a newer one', async () => {
    await edit('tags: { app: shop } }', 'tags: { app: shop }, pin: exact }');
    const planned = await muster(folder, ['plan', ...documents, '--out', 'plan.json'], env());
    expect(planned.code, planned.stderr).toBe(0);
    expect(planned.stdout).toContain(made.snapshot);
    const newer = (await client.send(new CreateSnapshotCommand({ VolumeId: made.volume }))).SnapshotId ?? '';
    await client.send(new CreateTagsCommand({ Resources: [newer], Tags: [{ Key: 'app', Value: 'shop' }] }));
    aws.proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeSnapshots') return undefined;
      const { status, body } = await answer();
      const parts = body.split('<snapshotId>').map((part) => (part.startsWith(made.snapshot) ? part.replace(/<startTime>[^<]*/, '<startTime>2026-01-01T00:00:00.000Z') : part));
      return { status, body: parts.join('<snapshotId>') };
    });
    await refused(await muster(folder, ['run', '--plan', 'plan.json', '--evidence-dir', 'evidence'], env()), new RegExp(`the plan pins ${made.snapshot}|${made.snapshot} -> ${newer}|${newer}`));
  });

  it('fails where somebody alters a volume inside the boundary meanwhile, and names which', async () => {
    const file = join(folder, 'environment.yaml');
    await writeFile(file, `${await readFile(file, 'utf8')}watch: { required: [ec2], profiles: [aws], settle: 100ms }\n`);
    await writeFile(join(folder, 'runbook.yaml'), `${await readFile(join(folder, 'runbook.yaml'), 'utf8')}  - { id: look, phase: verify, uses: wait, with: { for: 3s } }\n`);
    const { live, ended } = begin(folder, ['run', ...documents, '--evidence-dir', 'evidence'], env());
    await live.until((event) => event.type === 'step.started' && event.step === 'look');
    await client.send(new CreateTagsCommand({ Resources: [made.volume], Tags: [{ Key: 'note', Value: 'by hand' }] }));
    const { code, stdout } = await ended;
    expect(code, stdout).toBe(1);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(new RegExp(`aws: volume ${made.volume}: tags changed`));
    expect(await volumeIds(client)).toEqual(before);
  });

  it('is refused where the newest snapshot is older than the runbook allows', async () => {
    await edit('tags: { app: shop } }', 'tags: { app: shop }, maxAge: 24h }');
    aws.proxy.meddle(async ({ action }, answer) => {
      if (action !== 'DescribeSnapshots') return undefined;
      const { status, body } = await answer();
      return { status, body: body.replaceAll(/<startTime>[^<]*/g, '<startTime>2026-01-01T00:00:00.000Z') };
    });
    await refused(await run(), /snapshot to use: snap-[0-9a-f]+, \d+d/);
  });
});
