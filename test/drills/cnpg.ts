import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { startCnpg, type Cnpg, type CnpgOptions } from '../components/cnpg/index.js';
import { startKubernetes, type Cluster } from '../components/kubernetes/index.js';
import { root, type DrillOptions } from './harness.js';

/** A Kubernetes cluster with the stand-in for CloudNativePG and one database cluster on it. */
export interface Stage {
  readonly kubernetes: Cluster;
  readonly cnpg: Cnpg;
  /** Options of a drill of a shipped runbook, in an environment as a user would write it; nothing in it knows of the stand-in. */
  drill(runbook: string, options?: StageOptions): DrillOptions;
  stop(): Promise<void>;
}

export interface StageOptions extends Omit<DrillOptions, 'on' | 'documents'> {
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
}

export async function openStage(options: Omit<CnpgOptions, 'kubeconfig'> = {}): Promise<Stage> {
  const kubernetes = await startKubernetes({ nodes: [] });
  try {
    const cnpg = await startCnpg({ kubeconfig: kubernetes.kubeconfigOf('cnpg'), ...options });
    return {
      kubernetes,
      cnpg,
      drill: (name, { runbook: editRunbook, environment: editEnvironment, ...more } = {}) => ({
        ...more,
        set: { cluster: cnpg.cluster, ...more.set },
        async documents(folder) {
          const runbook = parse(await readFile(join(root, `runbooks/${name}.yaml`), 'utf8')) as Runbook;
          const environment = environmentOf(kubernetes, cnpg, options.pooler);
          editRunbook?.(runbook);
          editEnvironment?.(environment);
          await writeFile(join(folder, 'runbook.yaml'), stringify(runbook, { aliasDuplicateObjects: false }));
          await writeFile(join(folder, 'environment.yaml'), stringify(environment, { aliasDuplicateObjects: false }));
          return [join(folder, 'runbook.yaml'), join(folder, 'environment.yaml')];
        },
      }),
      async stop() {
        await cnpg.stop();
        await kubernetes.stop();
      },
    };
  } catch (error) {
    await kubernetes.stop();
    throw error;
  }
}

function environmentOf(kubernetes: Cluster, { namespace, cluster }: Cnpg, pooler: string | undefined): Environment {
  const server = { kubernetes: 'k8s', cluster, user: 'postgres', database: 'app', tls: 'disable' };
  return {
    apiVersion: 'muster/v1',
    kind: 'Environment',
    metadata: { name: 'cnpg', sandbox: true },
    connections: {
      k8s: { kind: 'kubernetes', role: 'source', provision: 'kubeconfig', with: { kubeconfig: kubernetes.kubeconfig, context: kubernetes.context, namespace } },
      source: { kind: 'postgres', role: 'source', provision: 'cnpg', with: server },
      ...(pooler === undefined ? {} : { pooled: { kind: 'postgres', role: 'source' as const, provision: 'cnpg', with: { ...server, service: pooler } } }),
      copy: { kind: 'postgres', role: 'target', provision: 'restored-cnpg', with: { kubernetes: 'k8s', cluster: 'orders-drill', tls: 'disable' } },
    },
    endpoints: {
      rw: { provision: 'existing', to: 'source' },
      clients: { provision: 'existing', to: pooler === undefined ? 'source' : 'pooled' },
      app: { provision: 'forwarder', to: 'source' },
    },
    boundary: { kubernetes: [{ context: kubernetes.context, uid: kubernetes.uid, namespaces: [namespace] }] },
    runbooks: 'any',
    stableFor: '1s',
  };
}
