import { Type } from 'typebox';
import type { KubernetesCluster, KubernetesObject } from '../../../clients/kubernetes/port.js';
import type { KubernetesRight } from '../../../engine/permission.js';
import { StepError } from '../../../engine/errors.js';
import { inWords, itemsOf, knownText } from '../../../engine/plannable.js';
import { Kubernetes } from './inputs.js';

/** Nodes by their names or by their labels. */
export const nodeInputs = {
  kubernetes: Kubernetes,
  nodes: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Their names; or give `selector`' })),
  selector: Type.Optional(Type.String({ minLength: 1, description: 'Their labels: topology.kubernetes.io/zone=eu-central-1a' })),
};

export interface NodesInput {
  readonly nodes?: readonly string[];
  readonly selector?: string;
}

/** The nodes that are meant. Throws StepError `k8s-not-found` when there are none, `bad-input`. */
export async function nodesOf(cluster: KubernetesCluster, { nodes, selector }: NodesInput): Promise<readonly KubernetesObject[]> {
  if ((nodes === undefined) === (selector === undefined)) throw new StepError('bad-input', 'give either `nodes` or `selector`');
  if (nodes !== undefined) return Promise.all(nodes.map((name) => cluster.get({ kind: 'Node', apiVersion: 'v1', name })));
  const { items } = await cluster.list({ kind: 'Node', apiVersion: 'v1' }, { labelSelector: selector ?? '' });
  if (items.length === 0) throw new StepError('k8s-not-found', `no node has ${selector}`);
  return items;
}

/** In the words of a plan. */
export function nodesInWords(given: { readonly nodes?: unknown; readonly selector?: unknown }): string {
  return given.nodes === undefined ? `the nodes with ${inWords(given.selector)}` : `the nodes ${inWords(given.nodes)}`;
}

/** The rule on nodes: by name where all are known. */
export function nodeRight(given: { readonly kubernetes?: unknown; readonly nodes?: unknown }, verbs: readonly string[]): KubernetesRight {
  const names = itemsOf<string>(given.nodes as string[] | undefined).map(knownText);
  const known = names.filter((name) => name !== undefined);
  return { system: 'kubernetes', connection: inWords(given.kubernetes), verbs, apiGroup: '', resource: 'nodes', scope: 'cluster', ...(known.length > 0 && known.length === names.length ? { names: known } : {}) };
}
