import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { actionsOf, allow, iamUser, judgedBy, withOneActionLess, type Credentials, type Policy } from '../components/iam.js';
import { requireOwnKubernetes } from '../components/kubernetes/index.js';
import { motoComponent } from '../components/moto.js';
import { account as place, inside, region } from '../clients/ec2/lib.js';
import { startSwapStage, type SwapDrill, type SwapPlace, type SwapStage } from './ebs-rig.js';
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
  let stage: SwapStage;
  let at: SwapPlace;
  let account: Account;
  let watched = false;
  let user: Credentials | undefined;
  let roles: Role[];
  let policy: Policy;

  beforeAll(async () => {
    stage = await startSwapStage('ebs-rights');
    at = await stage.place();
    const { cluster, aws } = stage;
    if (cluster.own === null) throw new Error('not a cluster of ours');
    account = await serviceAccount(cluster, cluster.own, at.namespace);
    await ask();
    user = await iamUser(aws.moto, 'drill', actionsOf(policy));
    await aws.moto.enforce(true);
  });
  afterAll(() => stage?.stop());

  const given = (): SwapDrill => ({ kubeconfig: account.kubeconfig, watched: watched && 'audited', env: { AWS_ACCESS_KEY_ID: user?.accessKeyId ?? 'nobody', AWS_SECRET_ACCESS_KEY: user?.secretAccessKey ?? 'n0b0dy-at-all' } });
  /** What drills need from now on. A watcher may list and watch everything: without it the steps' own rights show. */
  async function ask(how = false): Promise<void> {
    watched = how;
    roles = printedRoles(await at.printed('permissions', given(), '--only', 'cluster'));
    policy = JSON.parse(await at.printed('permissions', given(), '--only', 'aws')) as Policy;
  }
  const failed = async (): Promise<string> => failedChecks(await at.printed('plan', given(), '--format', 'json'));
  /** Gives the user this policy and no other. */
  const give = async (granted: Policy, used?: Set<string>): Promise<void> => {
    const { moto, proxy } = stage.aws;
    await moto.enforce(false);
    await allow(moto, 'drill', actionsOf(granted));
    await moto.enforce(true);
    proxy.meddle(judgedBy(granted, { account: place, region }, stage.ec2, used));
  };

  it.each(['unwatched', 'watched'])('%s, passes, and uses each of them', async (how) => {
    await ask(how === 'watched');
    const [used, since] = [new Set<string>(), new Date()];
    await account.grant(roles);
    await give(policy, used);
    await expect.poll(failed, { timeout: 30_000 }).toBe('');
    const judged = await at.drill(given());
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.code).toBe(0);
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
    const { code, stderr, state } = await at.run(given());
    expect({ code, named: stderr.includes(`${action} is denied`) }, stderr).toEqual({ code: 3, named: true });
    await at.expectAsBefore(state);
  });

  it('is refused where the policy is for volumes with another tag', async () => {
    const [mine, theirs] = [JSON.stringify(inside.tag.value), '"production"'];
    await give({ Statement: policy.Statement.map((statement) => ({ ...statement, Condition: JSON.parse(JSON.stringify(statement.Condition).replaceAll(mine, theirs)) as typeof statement.Condition })) });
    const { code, stderr } = await at.run(given());
    expect(code, stderr).toBe(3);
    expect(stderr).toMatch(/ec2:CreateVolume is denied/);
  });
});
