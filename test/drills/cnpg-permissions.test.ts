import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Environment } from '../../src/engine/documents.js';
import { requireOwnKubernetes } from '../components/kubernetes/index.js';
import { openStage, type Stage } from './cnpg.js';
import { drill, removeFolders, run } from './harness.js';
import { failedChecks, naming, printed, printedRoles, serviceAccount, withOneLess, type Account, type Role } from './rights.js';

const describe = await requireOwnKubernetes('users with few rights are made, and a stand-in is the operator of CloudNativePG');

const runbooks = ['cnpg-failover', 'cnpg-pitr-restore'];

describe('under exactly the roles that are printed for it', () => {
  let stage: Stage;
  let account: Account;

  beforeAll(async () => {
    stage = await openStage({ instances: 2 });
    if (stage.kubernetes.own === null) throw new Error('not a cluster of ours');
    account = await serviceAccount(stage.kubernetes, stage.kubernetes.own, stage.cnpg.namespace);
  });

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  /** Whoever may do nothing but what is granted. A runbook that restores nothing needs no place for a copy. */
  const asDrill = (runbook: string) => (environment: Environment) => {
    Object.assign(environment.connections['k8s']?.with ?? {}, { kubeconfig: account.kubeconfig });
    if (runbook === 'cnpg-failover') delete environment.connections['copy'];
  };

  const given = (runbook: string, watched = false) => stage.drill(runbook, { environment: asDrill(runbook), watched: watched && 'audited', set: runbook === 'cnpg-failover' ? {} : { rows: 2000 } });
  const roles = async (runbook: string, watched?: boolean): Promise<Role[]> => printedRoles(await printed('permissions', given(runbook, watched), '--only', 'k8s'));
  const failed = async (runbook: string, watched?: boolean): Promise<string> => failedChecks(await printed('plan', given(runbook, watched), '--format', 'json'));
  const objects = async () => {
    const { namespace } = stage.cnpg;
    const lists = await Promise.all([`/apis/postgresql.cnpg.io/v1/namespaces/${namespace}/clusters`, `/apis/postgresql.cnpg.io/v1/namespaces/${namespace}/backups`, `/api/v1/namespaces/${namespace}/pods`].map((path) => stage.kubernetes.request('GET', path)));
    return lists.flatMap(({ items = [] }) => items.map(({ metadata }) => metadata.uid)).toSorted();
  };

  it.each(runbooks.flatMap((runbook) => [[runbook, 'unwatched'], [runbook, 'watched']] as const))('%s, %s, passes, and uses each of them', async (runbook, how) => {
    // A watcher may list and watch everything: without it the steps' own rights show.
    const watched = how === 'watched';
    const all = await roles(runbook, watched);
    await account.grant(all);
    await expect.poll(() => failed(runbook, watched), { timeout: 30_000 }).toBe('');
    const since = new Date();
    const drilled = await drill(given(runbook, watched));
    expect(drilled.codes).toEqual([]);
    expect(account.unused(all, since)).toEqual([]);
  });

  it.each(runbooks)('of %s, preflight names any one rule that is missing', async (runbook) => {
    for (const { missing, rest } of withOneLess(await roles(runbook))) {
      await account.grant(rest);
      await expect.poll(() => failed(runbook), { timeout: 30_000 }).toMatch(naming(missing));
    }
  });

  it.each(runbooks)('%s is refused with one rule less, and touches nothing', async (runbook) => {
    const before = await objects();
    const without = withOneLess(await roles(runbook)).find(({ missing }) => missing.resources.includes(runbook === 'cnpg-failover' ? 'pods' : 'backups'));
    await account.grant(without?.rest ?? []);
    const drilled = await run(given(runbook));
    expect(drilled.code, drilled.stderr).toBe(3);
    expect(drilled.stderr).toMatch(runbook === 'cnpg-failover' ? /right to delete pods in / : /right to \w+ backups\.postgresql\.cnpg\.io in /);
    expect(drilled.bundle).toBeNull();
    expect(await objects()).toEqual(before);
  });
});
