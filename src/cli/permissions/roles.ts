import { stringify } from 'yaml';
import type { KubernetesRight } from '../../engine/permission.js';
import { kubernetesRightsOn, type Declared } from '../../engine/plan/rights.js';
import type { PlanBinding } from '../../engine/plan-document.js';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/**
 * The Roles, one for each namespace, and the ClusterRole that let the steps do what they do in the cluster of a connection, and no more, as
 * YAML with the commands that bind them. undefined: the connection is no cluster. What every logged-in user may do is not
 * repeated: ask which kinds there are, and what one may do oneself.
 */
export function clusterRoles(binding: PlanBinding, connection: string, provisioned: readonly Declared[]): string | undefined {
  const cluster = binding.environment.connections[connection];
  const own = cluster?.with['namespace'];
  if (cluster?.kind !== 'kubernetes' || typeof own !== 'string') return undefined;
  const rights = kubernetesRightsOn(binding, connection, provisioned).map(({ right }) => right);
  const name = `muster-${binding.runbook.name}`;
  const namespaces = new Map<string, KubernetesRight[]>();
  // By these the cluster and the namespace are known.
  const wide: KubernetesRight[] = [{ system: 'kubernetes', connection, verbs: ['get'], apiGroup: '', resource: 'namespaces', scope: 'cluster', names: ['kube-system', own] }];
  for (const right of rights) {
    if (right.scope === 'cluster') wide.push(right);
    else namespaces.set(right.namespace ?? own, [...(namespaces.get(right.namespace ?? own) ?? []), right]);
  }
  const documents = [
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: rulesOf(wide) },
    ...[...namespaces].map(([namespace, inside]) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name, namespace }, rules: rulesOf(inside) })),
  ];
  const binders = [`kubectl create clusterrolebinding ${name} --clusterrole=${name} --user=<who runs the drill>`, ...[...namespaces.keys()].map((namespace) => `kubectl create rolebinding ${name} -n ${namespace} --role=${name} --user=<who runs the drill>`)];
  return `${binders.map((line) => `# ${line}`).join('\n')}\n${documents.map((document) => stringify(document, { lineWidth: 0 })).join('---\n')}`;
}

/** Verbs on the same objects in one rule, then resources with the same verbs in one. */
function rulesOf(rights: readonly KubernetesRight[]): Rule[] {
  const byObject = new Map<string, { readonly right: KubernetesRight; readonly verbs: Set<string> }>();
  for (const right of rights) {
    const key = JSON.stringify([right.apiGroup, right.resource, right.names ?? null]);
    const known = byObject.get(key) ?? { right, verbs: new Set() };
    for (const verb of right.verbs) known.verbs.add(verb);
    byObject.set(key, known);
  }
  const byVerbs = new Map<string, { readonly right: KubernetesRight; readonly verbs: readonly string[]; readonly resources: Set<string> }>();
  for (const { right, verbs } of byObject.values()) {
    const sorted = [...verbs].toSorted();
    const key = JSON.stringify([right.apiGroup, right.names ?? null, sorted]);
    const known = byVerbs.get(key) ?? { right, verbs: sorted, resources: new Set() };
    known.resources.add(right.resource);
    byVerbs.set(key, known);
  }
  return [...byVerbs.values()].map(({ right: { apiGroup, names }, verbs, resources }) => ({ apiGroups: [apiGroup], resources: [...resources], ...(names === undefined ? {} : { resourceNames: names }), verbs }));
}
