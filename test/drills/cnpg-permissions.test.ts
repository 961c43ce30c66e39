import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Environment } from '../../src/engine/documents.js';
import type { Plan } from '../../src/engine/plan-document.js';
import { requireComponent } from '../components/index.js';
import { kubernetesComponent } from '../components/kubernetes/index.js';
import { openStage, type Stage } from './cnpg.js';
import { drill, muster, removeFolders, scratch } from './harness.js';

interface Role {
  readonly kind: 'Role' | 'ClusterRole';
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

const describe = await requireComponent(kubernetesComponent);
const group = '/apis/rbac.authorization.k8s.io/v1';

describe('under exactly the roles that are printed for it', () => {
  let stage: Stage;
  const granted = new Set<string>();

  beforeAll(async () => {
    stage = await openStage({ instances: 2 });
  }, 180_000);

  afterEach(async () => {
    for (const path of granted) await stage.kubernetes.request('DELETE', path).catch(() => undefined);
    granted.clear();
  });

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  /** Whoever may do nothing but what is granted. A runbook that restores nothing needs no place for a copy. */
  const asDrill = (runbook: string) => (environment: Environment) => {
    Object.assign(environment.connections['k8s']?.with ?? {}, { kubeconfig: stage.kubernetes.kubeconfigOf('drill') });
    if (runbook === 'cnpg-failover') delete environment.connections['copy'];
  };

  async function command(name: string, runbook: string, ...more: string[]): Promise<string> {
    const folder = await scratch();
    const [file, environment] = (await stage.drill(runbook, { environment: asDrill(runbook) }).documents?.(folder)) ?? ['', ''];
    const { code, stdout, stderr } = await muster(folder, [name, file, '--env', environment, '--set', `cluster=${stage.cnpg.cluster}`, ...more]);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  async function grant(roles: readonly Role[]): Promise<void> {
    for (const { kind, metadata, rules } of roles) {
      const path = kind === 'ClusterRole' ? `${group}/clusterroles` : `${group}/namespaces/${metadata.namespace}/roles`;
      if (granted.has(`${path}/${metadata.name}`)) await stage.kubernetes.request('DELETE', `${path}/${metadata.name}`);
      granted.add(`${path}/${metadata.name}`);
      await stage.kubernetes.request('POST', path, { metadata, rules });
      const binding = { metadata: { name: metadata.name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'muster-drill' }] };
      await stage.kubernetes.request('POST', path.replace(/roles$/, 'rolebindings'), binding).catch(() => undefined);
    }
  }

  const roles = async (runbook: string): Promise<Role[]> => parseAllDocuments(await command('permissions', runbook, '--only', 'k8s')).map((document) => document.toJS() as Role);
  const failed = async (runbook: string): Promise<string> => {
    const { observed } = JSON.parse(await command('plan', runbook, '--format', 'json')) as Plan;
    return observed.checks.filter(({ result }) => result === 'failed').map(({ id, detail }) => `${id}: ${detail}`).join('\n');
  };

  it.each(['cnpg-failover', 'cnpg-pitr-restore'])('%s passes', async (runbook) => {
    await grant(await roles(runbook));
    await expect.poll(() => failed(runbook), { timeout: 30_000 }).toBe('');
    const set = runbook === 'cnpg-failover' ? {} : { rows: 2000 };
    const drilled = await drill(stage.drill(runbook, { environment: asDrill(runbook), set }));
    expect(drilled.codes).toEqual([]);
  });

  it.each(['cnpg-failover', 'cnpg-pitr-restore'])('of %s, preflight names any one rule that is missing', async (runbook) => {
    const all = await roles(runbook);
    const rules = all.flatMap((role) => role.rules.map((rule) => ({ role, rule })));
    for (const { role: of, rule: missing } of rules) {
      await grant(all.map((role) => (role === of ? { ...role, rules: role.rules.filter((rule) => rule !== missing) } : role)));
      await expect.poll(() => failed(runbook), { timeout: 30_000 }).toMatch(new RegExp(`(${missing.verbs.join('|')}) .*${missing.resources[0]?.split('/')[0]}`));
    }
  });
});
