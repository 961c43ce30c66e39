import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../../src/engine/package-root.js';
import { debianPackages } from '../debian.js';
import { describe, type TestContext } from 'vitest';
import { requireComponents, type Component } from '../index.js';
import { makeUsers, signToken, writeKubeconfig } from './access.js';
import { context, startControlPlane, type ControlPlane } from './control-plane.js';
import { startHollowNodes, zoneLabel, type HollowNodes, type NodeSpec } from './nodes.js';
import { requestsTo, type Request } from './request.js';

export type { HollowNodes, NodeSpec } from './nodes.js';
export { ApiError, requestsTo, type KubernetesObject, type Request } from './request.js';

const execute = promisify(execFile);
const tool = join(packageRoot(), 'tools/kubernetes.js');
const named = process.env['MUSTER_TEST_KUBECONFIG'];
let binaries: string | undefined;

/** A Kubernetes control plane with hollow nodes: built once from Debian's source package (tools/kubernetes.js), or the cluster that MUSTER_TEST_KUBECONFIG names. */
export const kubernetesComponent: Component = {
  name: 'Kubernetes',
  async obtain() {
    if (named) return existsSync(named) ? undefined : `MUSTER_TEST_KUBECONFIG names ${named}, which is not there.`;
    try {
      const packages = (await execute(process.execPath, [tool, '--packages'])).stdout.trim().split(' ');
      if ((await execute(process.execPath, [tool, '--built'])).stdout.trim() === '') {
        if (!existsSync('/etc/debian_version')) return 'It is built from a Debian source package: run these suites on Debian 12, or name a cluster in MUSTER_TEST_KUBECONFIG.';
        for (const file of ['/usr/bin/go', '/usr/bin/etcd', '/usr/bin/jq', '/usr/bin/rsync', '/usr/bin/make']) {
          const missing = await debianPackages(packages, file);
          if (missing !== undefined) return missing;
        }
        process.stderr.write('building Kubernetes for the tests, once: about five minutes\n');
      }
      binaries = (await execute(process.execPath, [tool])).stdout.trim();
      return undefined;
    } catch (error) {
      return `node tools/kubernetes.js failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  },
};

const others = 'MUSTER_TEST_KUBECONFIG names a cluster of others';

/** `describe` for a suite that needs a cluster of ours, and says what for: on one of others it is NOT RUN. */
export async function requireOwnKubernetes(why: string, ...more: readonly Component[]): Promise<typeof describe | typeof describe.skip> {
  if (!named) return requireComponents(kubernetesComponent, ...more);
  process.stderr.write(`NOT RUN: ${why}, and ${others}.\n`);
  return describe.skip;
}

/** The same for one test: what only a cluster of ours lets it do; elsewhere it ends here. */
export function ownOf({ own }: Cluster, { skip }: Pick<TestContext, 'skip'>, why: string): OwnCluster {
  if (own !== null) return own;
  process.stderr.write(`NOT RUN: ${why}, and ${others}.\n`);
  return skip(`${why}: ${others}`);
}

/** What only a cluster of ours lets a test do. */
export interface OwnCluster {
  readonly nodes: HollowNodes;
  /** JSON lines of audit.k8s.io/v1 events, with microseconds. */
  readonly auditLog: string;
  readonly restartApiServer: ControlPlane['restartApiServer'];
  /** A token of a service account that is there already, which the API server takes for `seconds`. */
  expiringToken(namespace: string, name: string, seconds: number): Promise<string>;
  /** A kubeconfig with any token. */
  kubeconfigWith(token: string, namespace?: string): string;
}

export interface Cluster {
  readonly context: string;
  readonly server: string;
  /** Of an administrator. */
  readonly kubeconfig: string;
  readonly nodes: readonly NodeSpec[];
  /** As the administrator. */
  readonly request: Request;
  /** uid of the namespace kube-system, which tells clusters apart. */
  readonly uid: string;
  /** null: it is the cluster of MUSTER_TEST_KUBECONFIG, and nothing of it is ours to break. */
  readonly own: OwnCluster | null;
  /** Of another user (access.ts): admin, alice, bob, gitops, autoscaler, attacher, drill. On a cluster of others: of its one user. */
  kubeconfigOf(user: string): string;
  /** A folder that goes with the cluster. */
  readonly folder: string;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Default: hollow-a in eu-central-1a, hollow-b in eu-central-1b. */
  readonly nodes?: readonly NodeSpec[];
  /** Flags added to kube-apiserver and kube-controller-manager. */
  readonly apiServer?: readonly string[];
  readonly controllerManager?: readonly string[];
}

/** Starts a cluster of its own, or takes the one of MUSTER_TEST_KUBECONFIG. Needs `kubernetesComponent`. */
export async function startKubernetes(options: ClusterOptions = {}): Promise<Cluster> {
  // Short: a kubelet keeps sockets deep below it, and their paths may have 107 characters.
  const folder = mkdtempSync(join(tmpdir(), 'muster-k8s-'));
  try {
    return named ? await existingCluster(named, folder) : await ownCluster(folder, options);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function ownCluster(folder: string, options: ClusterOptions): Promise<Cluster> {
  if (binaries === undefined) throw new Error('obtain kubernetesComponent first');
  const specs = options.nodes ?? [{ name: 'hollow-a', zone: 'eu-central-1a' }, { name: 'hollow-b', zone: 'eu-central-1b' }];
  const users = makeUsers(specs.map(({ name }) => name));
  const plane = await startControlPlane(binaries, folder, users, options);
  const { request, server, auditLog, kubeconfig, restartApiServer } = plane;
  try {
    const nodes = await startHollowNodes(binaries, folder, specs, kubeconfig, request);
    let tokens = 0;
    return {
      context,
      server,
      kubeconfig: kubeconfig('admin'),
      nodes: specs,
      request,
      uid: (await request('GET', '/api/v1/namespaces/kube-system')).metadata.uid,
      own: {
        nodes,
        auditLog,
        restartApiServer,
        async expiringToken(namespace, name, seconds) {
          const { metadata } = await request('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`);
          return signToken(plane.serviceAccountKey, { namespace, name, uid: metadata.uid }, seconds);
        },
        kubeconfigWith(token, namespace) {
          const file = join(folder, 'kubeconfigs', `token-${(tokens += 1)}.yaml`);
          writeKubeconfig(file, { server, caFile: join(folder, 'certificates/apiserver.crt'), token, context, user: 'token', ...(namespace === undefined ? {} : { namespace }) });
          return file;
        },
      },
      kubeconfigOf: kubeconfig,
      folder,
      async stop() {
        await nodes.stop(...specs.map(({ name }) => name));
        await plane.stop();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

async function existingCluster(given: string, folder: string): Promise<Cluster> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(given);
  const kubeconfig = join(folder, 'kubeconfig');
  copyFileSync(given, kubeconfig);
  const request = await requestsTo(kubeconfig);
  const { items = [] } = await request('GET', '/api/v1/nodes');
  return {
    context: config.getCurrentContext(),
    server: config.getCurrentCluster()?.server ?? '',
    kubeconfig,
    nodes: items.map(({ metadata: { name, labels } }) => ({ name, zone: labels?.[zoneLabel] ?? '' })),
    request,
    uid: (await request('GET', '/api/v1/namespaces/kube-system')).metadata.uid,
    own: null,
    kubeconfigOf: () => kubeconfig,
    folder,
    stop: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
  };
}
