import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { messageOf, StepError } from '../../engine/errors.js';

/** What a context of the kubeconfig says now. */
export interface Context {
  readonly config: KubeConfig;
  readonly server: string;
  /** The context's own namespace, if it names one. */
  readonly namespace: string | undefined;
}

/** Absolute paths of the files: the given one, or those of KUBECONFIG, or ~/.kube/config, as for kubectl. */
export function kubeconfigFiles(given: string | undefined, env: NodeJS.ProcessEnv = process.env): string[] {
  if (given !== undefined) return [resolve(given.replace(/^~(?=\/)/, homedir()))];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '').map((file) => resolve(file));
  return listed.length > 0 ? listed : [join(homedir(), '.kube', 'config')];
}

/**
 * One context of kubeconfig files, never the files' current one. The first file that defines a name wins, as for kubectl. Throws
 * StepError `k8s-no-context` when the files cannot be read or do not have it.
 */
export async function openContext(files: readonly string[], name: string): Promise<Context> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node');
  const config = new Config();
  config.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: name });
  for (const file of files) {
    const part = new Config();
    try {
      part.loadFromString(readFileSync(file, 'utf8'));
      part.makePathsAbsolute(dirname(file));
    } catch (error) {
      throw new StepError('k8s-no-context', `the kubeconfig ${file} could not be read: ${messageOf(error)}`, { cause: error });
    }
    config.clusters.push(...part.clusters.filter((each) => config.getCluster(each.name) === null));
    config.users.push(...part.users.filter((each) => config.getUser(each.name) === null));
    config.contexts.push(...part.contexts.filter((each) => config.getContextObject(each.name) === null));
  }
  const context = config.getContextObject(name);
  if (context === null) throw new StepError('k8s-no-context', `the kubeconfig (${files.join(', ')}) has no context ${name}`, { hint: `It has: ${config.contexts.map((each) => each.name).join(', ') || 'none'}.` });
  const cluster = config.getCluster(context.cluster);
  if (cluster === null) throw new StepError('k8s-no-context', `the context ${name} names the cluster ${context.cluster}, which the kubeconfig does not have`);
  if (config.getUser(context.user) === null) throw new StepError('k8s-no-context', `the context ${name} names the user ${context.user}, which the kubeconfig does not have`);
  tellPlugin(config, context.user, cluster.server);
  return { config, server: cluster.server.replace(/\/$/, ''), namespace: context.namespace };
}

/** Credential plugins ask for KUBERNETES_EXEC_INFO, which the SDK does not set. */
function tellPlugin(config: KubeConfig, user: string, server: string): void {
  const exec: unknown = config.getUser(user)?.exec;
  if (typeof exec !== 'object' || exec === null) return;
  const plugin = exec as { apiVersion?: string; env?: { name: string; value: string }[] | null };
  const info = { kind: 'ExecCredential', apiVersion: plugin.apiVersion ?? 'client.authentication.k8s.io/v1', spec: { cluster: { server }, interactive: false } };
  plugin.env = [...(plugin.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }];
}

interface KubeconfigText {
  readonly contexts?: readonly { readonly name?: string; readonly context?: { readonly cluster?: string } }[] | null;
  readonly clusters?: readonly { readonly name?: string; readonly cluster?: { readonly server?: string } }[] | null;
}

/** Where a context leads, read without the SDK: a plan holds it, so that a kubeconfig that leads elsewhere is another plan. Undefined when it cannot be read. */
export function serverOf(files: readonly string[], name: string): string | undefined {
  const parts = files.flatMap((file): KubeconfigText[] => {
    try {
      const part: unknown = parse(readFileSync(file, 'utf8'));
      return typeof part === 'object' && part !== null ? [part] : [];
    } catch {
      return [];
    }
  });
  const cluster = parts.flatMap(({ contexts }) => contexts ?? []).find((each) => each.name === name)?.context?.cluster;
  return parts.flatMap(({ clusters }) => clusters ?? []).find((each) => each.name === cluster)?.cluster?.server?.replace(/\/$/, '');
}
