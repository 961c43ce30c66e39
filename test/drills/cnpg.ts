import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { startCnpg, type Cnpg, type CnpgOptions } from '../components/cnpg/index.js';
import { requestsTo, startKubernetes, type Cluster, type Request } from '../components/kubernetes/index.js';
import { root, type DrillOptions } from './harness.js';

/** A Kubernetes cluster with the stand-in for CloudNativePG and one database cluster on it. */
export interface Stage {
  readonly kubernetes: Cluster;
  readonly cnpg: Cnpg;
  /** A person who may do everything. */
  readonly alice: Request;
  /** Of the Cluster in the API. */
  readonly paths: { readonly cluster: string };
  /** Options of a drill of a shipped runbook, in an environment as a user would write it; nothing in it knows of the stand-in. */
  drill(runbook: string, options?: StageOptions): DrillOptions;
  stop(): Promise<void>;
}

export interface StageOptions extends Omit<DrillOptions, 'on' | 'documents' | 'watched'> {
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
  /** With the watchers and profiles of environments/cnpg.example.yaml; `audited`: and by the API server's audit log. */
  readonly watched?: boolean | 'audited';
}

export async function openStage(options: Omit<CnpgOptions, 'kubeconfigOf'> = {}): Promise<Stage> {
  const kubernetes = await startKubernetes({ nodes: [] });
  try {
    const cnpg = await startCnpg({ kubeconfigOf: (user) => kubernetes.kubeconfigOf(user), ...options });
    return {
      kubernetes,
      cnpg,
      alice: await requestsTo(kubernetes.kubeconfigOf('alice')),
      paths: { cluster: `/apis/postgresql.cnpg.io/v1/namespaces/${cnpg.namespace}/clusters/${cnpg.cluster}` },
      drill: (name, { runbook: editRunbook, environment: editEnvironment, watched = false, ...more } = {}) => ({
        ...more,
        set: { cluster: cnpg.cluster, ...more.set },
        async documents(folder) {
          const runbook = parse(await readFile(join(root, `runbooks/${name}.yaml`), 'utf8')) as Runbook;
          const environment = environmentOf(kubernetes, cnpg, options.pooler);
          if (watched !== false) environment.watch = await watchOf(watched === 'audited' ? kubernetes.own?.auditLog : undefined);
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

async function watchOf(audit: string | undefined): Promise<NonNullable<Environment['watch']>> {
  const { watch } = parse(await readFile(join(root, 'runbooks/environments/cnpg.example.yaml'), 'utf8')) as Environment;
  // The stand-in has addresses of Services published, as the cloud's controllers do on EKS.
  return { ...watch, profiles: [...(watch?.profiles ?? []), 'eks'], settle: '1s', ...(audit === undefined ? {} : { with: { ...watch?.with, k8s: { audit: { file: audit } } } }) };
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
