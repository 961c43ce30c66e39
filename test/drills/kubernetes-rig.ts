import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { startIngress, type Ingress } from '../components/kubernetes/ingress.js';
import type { Cluster } from '../components/kubernetes/index.js';
import { markedObjects } from '../components/kubernetes/marked.js';
import { deployment, disruptionBudget, service } from '../components/kubernetes/objects.js';
import { until } from '../components/kubernetes/programs.js';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { drill, root, run, writeDocuments, type Drilled, type DrillOptions, type Judged } from './harness.js';
import { failedChecks, printed, printedRoles, type Role } from './rights.js';

/** A service of a namespace of its own: the Deployment `web` with a budget, and the stand-in ingress that leads to it. */
export interface Shop {
  readonly namespace: string;
  readonly replicas: number;
  readonly ingress: Ingress;
  /** Merge-patches the deployment, as the administrator. */
  patch(body: unknown): Promise<unknown>;
  /** Sets the budget of its pods. */
  budget(minAvailable: number): Promise<void>;
  readonly readyPods: () => Promise<number>;
  /** Runs a shipped runbook on it, to a bundle; no object that it made may be left. */
  drill(runbook: string, options?: ShopDrill): Promise<Judged>;
  /** The same without expecting one. */
  run(runbook: string, options?: ShopDrill): Promise<Drilled>;
  /** What `muster permissions` prints for it on the cluster. */
  rights(runbook: string, options?: ShopDrill): Promise<readonly Role[]>;
  /** What preflight finds wrong, a line for each check. */
  failed(runbook: string, options?: ShopDrill): Promise<string>;
  stop(): Promise<void>;
}

export interface ShopDrill extends Pick<DrillOptions, 'beside' | 'set' | 'args' | 'env'> {
  /** Default: of the administrator. */
  readonly kubeconfig?: string;
  /** With the watchers and profiles of environments/kubernetes.example.yaml. */
  readonly watched?: boolean;
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
}

export async function startShop(cluster: Cluster, namespace: string, { replicas = 3, minAvailable = 2 }: { readonly replicas?: number; readonly minAvailable?: number } = {}): Promise<Shop> {
  const { request } = cluster;
  await request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  await request('POST', deployments, deployment('web', { replicas }));
  await request('POST', `/api/v1/namespaces/${namespace}/services`, service('web'));
  await request('POST', `/apis/policy/v1beta1/namespaces/${namespace}/poddisruptionbudgets`, disruptionBudget('web', minAvailable));
  const readyPods = async () => ((await request('GET', `${deployments}/web`)).status?.['readyReplicas'] as number | undefined) ?? 0;
  const budgetPath = `/apis/policy/v1beta1/namespaces/${namespace}/poddisruptionbudgets/web`;
  const budgetHolds = async () => (await request('GET', budgetPath)).status?.['currentHealthy'];
  await until('the pods', async () => (await readyPods()) === replicas, []);
  await until('the budget', async () => (await budgetHolds()) === replicas, []);
  const ingress = await startIngress(cluster, namespace, 'web');
  const options = (runbook: string, { kubeconfig = cluster.kubeconfig, runbook: editRunbook, environment: editEnvironment, set, watched = false, ...rest }: ShopDrill): DrillOptions => ({
    ...rest,
    set: { replicas, ...set },
    async documents(folder) {
      const example = parse(await readFile(join(root, 'runbooks/environments/kubernetes.example.yaml'), 'utf8')) as Environment;
      const steps = parse(await readFile(join(root, `runbooks/${runbook}.yaml`), 'utf8')) as Runbook;
      const environment: Environment = {
        apiVersion: 'muster/v1',
        kind: 'Environment',
        metadata: { name: 'shop', sandbox: true },
        connections: { cluster: { kind: 'kubernetes', role: 'source', provision: 'kubeconfig', with: { kubeconfig, context: cluster.context, namespace, uid: cluster.uid } } },
        endpoints: { app: { provision: 'existing', host: ingress.host, port: ingress.port } },
        boundary: { hosts: [`${ingress.host}:${ingress.port}`], kubernetes: [{ context: cluster.context, uid: cluster.uid, namespaces: [namespace], cluster: ['nodes', 'persistentvolumes', 'volumeattachments.storage.k8s.io'] }] },
        ...(watched ? { watch: { ...example.watch, settle: '1s' } } : {}),
        runbooks: 'any',
        stableFor: '1s',
      };
      editRunbook?.(steps);
      editEnvironment?.(environment);
      return writeDocuments(folder, steps, environment);
    },
  });
  return {
    namespace,
    replicas,
    ingress,
    readyPods,
    async budget(minAvailable) {
      await request('PATCH', budgetPath, { spec: { minAvailable } });
      await until('the budget', async () => {
        const { desiredHealthy, currentHealthy } = ((await request('GET', budgetPath)).status ?? {}) as { desiredHealthy?: number; currentHealthy?: number };
        return desiredHealthy === minAvailable && currentHealthy === replicas;
      }, []);
    },
    patch: (body) => request('PATCH', `${deployments}/web`, body),
    async drill(runbook, given = {}) {
      const judged = await drill(options(runbook, given));
      expect(await markedObjects(cluster, judged.runId)).toEqual([]);
      return judged;
    },
    run: (runbook, given = {}) => run(options(runbook, given)),
    rights: async (runbook, given = {}) => printedRoles(await printed('permissions', options(runbook, given), '--only', 'cluster')),
    failed: async (runbook, given = {}) => failedChecks(await printed('plan', options(runbook, given), '--format', 'json')),
    async stop() {
      await ingress.stop();
      await request('DELETE', `/api/v1/namespaces/${namespace}`);
    },
  };
}
