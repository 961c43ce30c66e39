import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Environment } from '../../src/engine/documents.js';
import type { Cluster } from '../components/kubernetes/index.js';
import type { VolumeService } from '../components/volume-service.js';
import { account, drillTag, inside, region } from '../clients/ec2/lib.js';
import type { Place } from '../steps/pv/rig.js';
import { root } from './harness.js';

/** Of all commands on the documents that `swapDocuments` writes. */
export const swapDrill = ['runbook.yaml', '--env', 'environment.yaml', ...Object.entries({ canary: '/canary', expected: 'orders: 4711', health: '/' }).flatMap(([name, value]) => ['--set', `${name}=${value}`])];

export interface SwapOptions {
  /** Default: of the administrator. */
  readonly kubeconfig?: string;
  /** With the watchers and profiles of environments/eks.example.yaml; `audited`: and by the API server's audit log. Default: AWS is watched alone. */
  readonly watched?: boolean | 'audited';
}

/** runbooks/ebs-volume-swap.yaml and an environment for the workload at `at`, as a user would write it. */
export async function swapDocuments(folder: string, cluster: Cluster, at: Place, service: VolumeService, { kubeconfig = cluster.kubeconfig, watched = false }: SwapOptions = {}): Promise<void> {
  const { watch } = parse(await readFile(join(root, 'runbooks/environments/eks.example.yaml'), 'utf8')) as Environment;
  const audit = watched === 'audited' ? { with: { k8s: { audit: { file: cluster.own?.auditLog } } } } : {};
  const environment = {
    apiVersion: 'muster/v1',
    kind: 'Environment',
    metadata: { name: 'eks-staging' },
    connections: {
      cluster: { kind: 'kubernetes', role: 'target', provision: 'kubeconfig', with: { kubeconfig, context: cluster.context, namespace: at.namespace, uid: cluster.uid } },
      aws: { kind: 'aws', role: 'target', provision: 'aws', with: { account, region, tag: drillTag } },
    },
    endpoints: { app: { provision: 'existing', to: 'cluster', host: '127.0.0.1', port: service.port } },
    boundary: { aws: [inside], kubernetes: [{ context: cluster.context, uid: cluster.uid, namespaces: [at.namespace], cluster: [`persistentvolumes/${at.volumeName}`, 'persistentvolumes/muster-*', 'volumeattachments.storage.k8s.io'] }] },
    watch: { ...(watched === false ? { required: ['ec2'], profiles: ['aws'] } : { ...watch, ...audit }), settle: '1s' },
    runbooks: 'any',
    stableFor: '1s',
  };
  await writeFile(join(folder, 'environment.yaml'), stringify(environment));
  await writeFile(join(folder, 'runbook.yaml'), await readFile(join(root, 'runbooks/ebs-volume-swap.yaml')));
}
