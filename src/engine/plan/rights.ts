import type { NeededRight } from '../define-step.js';
import { watchPolicy } from '../watch/policy.js';
import { kubernetesBoundary } from '../guard/kubernetes.js';
import type { KubernetesRight, Permission } from '../permission.js';
import type { Registry } from '../registry.js';
import { flattenSteps, type PlanBinding } from '../plan-document.js';

export type Declared = { readonly by: string; readonly permissions: readonly Permission[] };

/** Everything that steps, probes and cleanup steps declare, in the order of the plan. */
export function declaredPermissions(binding: PlanBinding): Declared[] {
  const steps = [...flattenSteps(binding.steps).map(({ step }) => step), ...binding.cleanup];
  // The plan holds them as the definitions gave them.
  const of = (permissions: readonly Record<string, unknown>[]) => permissions as unknown as readonly Permission[];
  return [...steps.map(({ id, permissions }) => ({ by: id, permissions: of(permissions) })), ...binding.probes.map(({ id, permissions }) => ({ by: `probe ${id}`, permissions: of(permissions) })), ...watchersOf(binding).map(([id, permissions]) => ({ by: `watcher ${id}`, permissions: of(permissions) }))];
}

/** What the plan's policy says of each watcher (engine/watch/policy.ts). */
function watchersOf({ environment: { watch } }: PlanBinding): [string, readonly Record<string, unknown>[]][] {
  if (typeof watch !== 'object' || watch === null || !('watchers' in watch) || typeof watch.watchers !== 'object' || watch.watchers === null) return [];
  return Object.entries(watch.watchers).map(([id, watcher]: [string, { readonly permissions?: unknown }]) => [id, Array.isArray(watcher.permissions) ? watcher.permissions : []]);
}

/** What the environment's connections need to be provisioned. */
export async function provisionedPermissions({ environment }: PlanBinding, registry: Registry): Promise<Declared[]> {
  return Promise.all(Object.entries(environment.connections).map(async ([name, { provision, with: input }]) => ({ by: `connection ${name}`, permissions: ((await registry.provisioner(provision)).permissions?.(input) ?? []).map((permission) => (permission.system === 'aws' ? { connection: name, ...permission } : permission)) })));
}

/** The SQL rights that a connection must give, each once. What is asked of an endpoint is asked of the connection that it leads to at the start. */
export function rightsOn(binding: PlanBinding, connection: string): NeededRight[] {
  return each(declaredPermissions(binding), (permission) => {
    if (permission.system !== 'postgres') return undefined;
    const endpoint = binding.environment.endpoints[permission.connection];
    return (endpoint === undefined ? permission.connection : endpoint.to) === connection ? { ...permission, connection } : undefined;
  });
}

/** The rules that a cluster's roles must hold, each once. */
export function kubernetesRightsOn(binding: PlanBinding, connection: string, provisioned: readonly Declared[]): NeededRight<'kubernetes'>[] {
  const watched = (permission: Permission): readonly Permission[] => (permission.system === 'kubernetes' && permission.connection === '*' ? everywhere(binding, connection, permission) : [permission]);
  const declared = [...provisioned, ...requiredPermissions(binding)].map(({ by, permissions }) => ({ by, permissions: permissions.flatMap(watched) }));
  return each(declared, (permission) => (permission.system === 'kubernetes' && permission.connection === connection ? permission : undefined));
}

/** An advisory watcher sees what it may see. */
function requiredPermissions(binding: PlanBinding): Declared[] {
  const required = watchPolicy(binding.environment).required.map((name) => `watcher ${name}`);
  return declaredPermissions(binding).filter(({ by }) => !by.startsWith('watcher ') || required.includes(by));
}

/** What a watcher needs in all of the boundary: in its namespaces, and of the cluster-scoped kinds that it names. */
function everywhere({ environment }: PlanBinding, connection: string, right: KubernetesRight): KubernetesRight[] {
  const context = environment.connections[connection]?.with['context'];
  const { boundary } = environment;
  const entries = kubernetesBoundary(typeof boundary === 'object' && boundary !== null && 'kubernetes' in boundary ? boundary.kubernetes : undefined).filter((entry) => entry.context === context);
  const namespaces = new Set(entries.flatMap((entry) => entry.namespaces));
  const wide = new Set(entries.flatMap(({ cluster }) => cluster.map((object) => object.split('/')[0] ?? '')));
  return [
    ...[...namespaces].map((namespace) => ({ ...right, connection, namespace })),
    ...[...wide].flatMap((kind) => {
      const [resource = '', ...group] = kind.split('.');
      return right.resource === '*' || right.resource === resource ? [{ ...right, connection, apiGroup: group.join('.'), resource, scope: 'cluster' as const }] : [];
    }),
  ];
}

/** The statements that a policy for an AWS connection must hold, each once. What a watcher asks (`*`) it asks of every account. */
export function awsRightsOn(binding: PlanBinding, connection: string, provisioned: readonly Declared[] = []): NeededRight<'aws'>[] {
  return each([...provisioned, ...requiredPermissions(binding)], (permission) => (permission.system === 'aws' && (permission.connection === connection || permission.connection === '*') ? { ...permission, connection } : undefined));
}

function each<R>(declared: readonly Declared[], pick: (permission: Permission) => R | undefined): { readonly right: R; readonly by: readonly string[] }[] {
  const found = new Map<string, { readonly right: R; readonly by: string[] }>();
  for (const { by, permissions } of declared) {
    for (const permission of permissions) {
      const right = pick(permission);
      if (right === undefined) continue;
      const key = JSON.stringify(right);
      const known = found.get(key);
      if (known === undefined) found.set(key, { right, by: [by] });
      else if (!known.by.includes(by)) known.by.push(by);
    }
  }
  return [...found.values()];
}
