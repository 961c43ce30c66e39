import { join } from 'node:path';
import type { EC2Client } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startAttacher, type Attacher } from '../components/attacher.js';
import { startAwsProxy, type AwsProxy } from '../components/aws-proxy.js';
import { actionsOf, allow, iamUser, judgedBy, withOneActionLess, type Credentials, type Policy } from '../components/iam.js';
import { requireOwnKubernetes, startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { startVolumeService, type VolumeService } from '../components/volume-service.js';
import { account as place, inside, other, region, volumeIds } from '../clients/ec2/lib.js';
import { behind, handleOf, place as placed, type Place } from '../steps/pv/rig.js';
import { swapDocuments, swapDrill } from './ebs-rig.js';
import { judge, muster, removeFolders, runsIn, scratch } from './harness.js';
import { failedChecks, naming, printedRoles, serviceAccount, withOneLess, type Account, type Role } from './rights.js';

vi.setConfig({ testTimeout: 480_000, hookTimeout: 240_000 });
const suite = await requireOwnKubernetes('a stand-in attaches the volumes, and users with few rights are made', motoComponent);

/** Rights that a drill may pass without, and when it needs them. */
const sometimes: Readonly<Record<string, string>> = {
  'list scaledobjects': 'where KEDA is installed, which here it is not',
};

/**
 * A service account with exactly the printed roles and an IAM user with exactly the printed policy, both at once: moto enforces its
 * actions, components/iam.ts its resources and conditions.
 */
suite('a volume is swapped under exactly the rights that `muster permissions` prints', () => {
  let cluster: Cluster;
  let moto: Moto;
  let proxy: AwsProxy;
  let attacher: Attacher;
  let admin: EC2Client;
  let at: Place;
  let service: VolumeService;
  let folder: string;
  let account: Account;
  let user: Credentials;
  let roles: Role[];
  let policy: Policy;

  beforeAll(async () => {
    [cluster, moto] = await Promise.all([startKubernetes(), startMoto()]);
    const credentials = await iamUser(moto, 'admin', ['*']);
    admin = other(moto, credentials);
    attacher = await startAttacher(cluster, { endpoint: moto.endpoint, credentials });
    proxy = await startAwsProxy(moto.endpoint);
    at = await placed(cluster, admin, `ebs-rights-${process.pid}`, { kind: 'StatefulSet', policy: 'Delete' });
    service = await startVolumeService(cluster, admin, at);
    service.holds.set(at.original, 'orders: 4712 (now)').set(at.snapshot, 'orders: 4711 (at the snapshot)');
    if (cluster.own === null) throw new Error('not a cluster of ours');
    account = await serviceAccount(cluster, cluster.own, at.namespace);
    folder = await scratch();
    await documents();
    user = await iamUser(moto, 'drill', actionsOf(policy));
    await moto.enforce(true);
  });
  afterAll(async () => {
    await service?.stop();
    await attacher?.stop();
    await proxy?.stop();
    await cluster?.stop();
    await moto?.stop();
    await removeFolders();
  });

  const command = (name: string, ...more: readonly string[]) => muster(folder, [name, ...swapDrill, '--set', `name=${at.name}`, '--set', `claim=${at.claim}`, ...more], { env: { ...moto.env, AWS_ENDPOINT_URL: proxy.endpoint, AWS_ACCESS_KEY_ID: user?.accessKeyId ?? 'nobody', AWS_SECRET_ACCESS_KEY: user?.secretAccessKey ?? 'n0b0dy-at-all' } });
  async function printed(name: string, ...more: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await command(name, ...more);
    expect(code, stderr).toBe(0);
    return stdout;
  }
  /** Writes them, and asks what they need. A watcher may list and watch everything: without it the steps' own rights show. */
  async function documents(watched = false): Promise<void> {
    await swapDocuments(folder, cluster, at, service, { kubeconfig: account.kubeconfig, watched: watched && 'audited' });
    roles = printedRoles(await printed('permissions', '--only', 'cluster'));
    policy = JSON.parse(await printed('permissions', '--only', 'aws')) as Policy;
  }
  const failed = async (): Promise<string> => failedChecks(await printed('plan', '--format', 'json'));
  const run = () => command('run', '--evidence-dir', join(folder, 'evidence'));
  /** Gives the user this policy and no other. */
  const give = async (given: Policy, used?: Set<string>): Promise<void> => {
    await moto.enforce(false);
    await allow(moto, 'drill', actionsOf(given));
    await moto.enforce(true);
    proxy.meddle(judgedBy(given, { account: place, region }, admin, used));
  };

  it.each(['unwatched', 'watched'])('%s, passes, and uses each of them', async (how) => {
    await documents(how === 'watched');
    const [used, since, before] = [new Set<string>(), new Date(), await volumeIds(admin)];
    await account.grant(roles);
    await give(policy, used);
    await expect.poll(failed, { timeout: 30_000 }).toBe('');
    const ended = await run();
    const runId = /\d{8}T\d{6}Z-ebs-volume-swap-[0-9a-f]{6}/.exec(ended.stderr + ended.stdout)?.[0] ?? null;
    const evidenceDir = join(folder, 'evidence');
    const judged = await judge({ ...ended, runId, folder, state: join(folder, 'state'), evidenceDir, bundle: runId === null ? null : join(evidenceDir, runId) });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.code).toBe(0);
    expect(await volumeIds(admin)).toEqual(before);
    expect(account.unused(roles, since).filter((right) => sometimes[right] === undefined)).toEqual([]);
    expect(policy.Statement.flatMap(({ Sid, Action }) => Action.map((action) => `${Sid} ${action}`)).filter((grant) => !used.has(grant))).toEqual([]);
  });

  it('preflight names any one rule of a role that is missing', async () => {
    await give(policy);
    for (const { missing, rest } of withOneLess(roles)) {
      await account.grant(rest);
      await expect.poll(failed, { timeout: 30_000 }).toMatch(naming(missing));
    }
  });

  it('preflight names any one action of the policy that is missing', async () => {
    await account.grant(roles);
    for (const { missing, rest } of withOneActionLess(policy)) {
      await give(rest);
      expect(await failed(), missing).toContain(missing);
    }
  });

  it.each(['ec2:CreateVolume', 'ec2:DeleteVolume'])('is refused without %s, and touches nothing', async (action) => {
    await account.grant(roles);
    await give({ Statement: policy.Statement.map((statement) => ({ ...statement, Action: statement.Action.filter((each) => each !== action) })) });
    const before = await volumeIds(admin);
    const { code, stderr } = await run();
    expect({ code, named: stderr.includes(`${action} is denied`) }, stderr).toEqual({ code: 3, named: true });
    expect(await volumeIds(admin)).toEqual(before);
    expect(handleOf(await behind(cluster, at))).toBe(at.original);
    expect(runsIn(join(folder, 'state'))).toEqual([]);
  });

  it('is refused where the policy is for volumes with another tag', async () => {
    const [mine, theirs] = [JSON.stringify(inside.tag.value), '"production"'];
    await give({ Statement: policy.Statement.map((statement) => ({ ...statement, Condition: JSON.parse(JSON.stringify(statement.Condition).replaceAll(mine, theirs)) as typeof statement.Condition })) });
    const { code, stderr } = await run();
    expect(code, stderr).toBe(3);
    expect(stderr).toMatch(/ec2:CreateVolume is denied/);
  });
});
