import type { KubernetesCluster, KubernetesObject, Reference } from '../../../clients/kubernetes/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { numberAt, recordAt } from './fields.js';

export const pausable = ['hpa', 'keda', 'argocd', 'flux'] as const;
export type Pausable = (typeof pausable)[number];

/** Somebody who puts the workload back to what he wants. */
export interface Owner {
  readonly by: Pausable;
  /** `HorizontalPodAutoscaler shop/web` */
  readonly name: string;
  /** How he is paused, and what stood there before; null: he leaves a workload at no pods alone. */
  readonly pause: Pause | null;
}

/** JSON: the cleanup that undoes it holds it. */
export interface Pause {
  readonly reference: Reference;
  /** Merge patches. */
  readonly on: Readonly<Record<string, unknown>>;
  readonly off: Readonly<Record<string, unknown>>;
}

/**
 * Who else decides how many pods there are, or how the workload looks. Throws StepError `cnpg-owned`, `operator-owned` for those who can only be asked
 * to do it themselves.
 */
export async function ownersOf(cluster: KubernetesCluster, workload: KubernetesObject, claim: KubernetesObject): Promise<Owner[]> {
  refuseOperators(workload, claim);
  const namespace = workload.metadata.namespace ?? cluster.namespace;
  return [...(await autoscalers(cluster, workload, namespace)), ...(await scaledObjects(cluster, workload, namespace)), ...argocd(workload), ...flux(workload)];
}

/** Throws StepError `not-paused` naming each owner that the runbook does not say to pause. */
export function refuseUnpaused(owners: readonly Owner[], declared: readonly string[]): void {
  const open = owners.filter(({ by }) => !declared.includes(by));
  if (open.length > 0) throw new StepError('not-paused', `${open.map(({ name }) => name).join(' and ')} would put the workload back`, { hint: `Let the step pause it: \`pause: [${[...new Set(open.map(({ by }) => by))].join(', ')}]\`.` });
}

/**
 * The same, with what stood there before: whom somebody else has paused stays paused. Read once it is known that the runbook has them paused,
 * and so may read them. An application or a release that is not there puts nothing back.
 */
export async function withWhatStood(cluster: KubernetesCluster, owners: readonly Owner[]): Promise<Owner[]> {
  const read = await Promise.all(owners.map(async (owner): Promise<Owner | undefined> => {
    if (owner.pause === null || (owner.by !== 'argocd' && owner.by !== 'flux')) return owner;
    const found = await cluster.find(owner.pause.reference);
    if (found === undefined) return undefined;
    const off = owner.by === 'argocd' ? annotation(argoSkip, found.metadata.annotations?.[argoSkip]) : suspended(recordAt(found, 'spec')['suspend'] === true);
    return { ...owner, pause: { ...owner.pause, off } };
  }));
  return read.filter((owner) => owner !== undefined);
}

export async function pauseAll(cluster: KubernetesCluster, owners: readonly Owner[], ctx: Pick<BaseContext, 'log'>): Promise<void> {
  for (const { name, pause } of owners) {
    if (pause === null) {
      ctx.log(`${name} does nothing while the workload is asked for no pods`);
      continue;
    }
    await cluster.patch(pause.reference, pause.on);
    ctx.log(`${name} is paused`);
  }
}

export async function resumeAll(cluster: KubernetesCluster, pauses: readonly Pause[]): Promise<void> {
  for (const { reference, off } of pauses) if ((await cluster.find(reference)) !== undefined) await cluster.patch(reference, off);
}

function refuseOperators(workload: KubernetesObject, claim: KubernetesObject): void {
  const cnpg = claim.metadata.labels?.['cnpg.io/cluster'] ?? [...(claim.metadata.ownerReferences ?? []), ...(workload.metadata.ownerReferences ?? [])].find(({ apiVersion }) => apiVersion.startsWith('postgresql.cnpg.io/'))?.name;
  if (cnpg !== undefined) {
    throw new StepError('cnpg-owned', `the claim ${claim.metadata.name} belongs to the CloudNativePG cluster ${cnpg}: its data is not swapped below it, it is recovered`, {
      hint: 'A volume put below one instance differs from what its replicas and its archive say. Use cnpg.restore.',
    });
  }
  const owner = [workload, claim].flatMap(({ kind, metadata }) => (metadata.ownerReferences ?? []).filter(({ controller, kind: by }) => controller === true && !(kind === 'PersistentVolumeClaim' && by === 'StatefulSet')))[0];
  if (owner !== undefined) throw new StepError('operator-owned', `${owner.kind} ${owner.name} (${owner.apiVersion}) controls it and would undo the swap`, { hint: 'Ask its operator to restore, as its own manual says.' });
}

function targets(scaler: KubernetesObject, workload: KubernetesObject): boolean {
  const { kind = 'Deployment', name } = recordAt(scaler, 'spec', 'scaleTargetRef');
  return kind === workload.kind && name === workload.metadata.name;
}

/** An autoscaler does nothing for a workload that is asked for no pods, unless it may scale down to none itself. */
async function autoscalers(cluster: KubernetesCluster, workload: KubernetesObject, namespace: string): Promise<Owner[]> {
  const { items } = await cluster.list({ kind: 'HorizontalPodAutoscaler', namespace });
  return items.filter((scaler) => targets(scaler, workload)).map((scaler) => {
    const name = `HorizontalPodAutoscaler ${namespace}/${scaler.metadata.name}`;
    if (numberAt(scaler, 'spec', 'minReplicas') === 0) throw new StepError('not-paused', `${name} may scale from none (minReplicas 0), and nothing pauses it`, { hint: 'Give it minReplicas 1 for the drill.' });
    return { by: 'hpa' as const, name, pause: null };
  });
}

const kedaPaused = 'autoscaling.keda.sh/paused';

async function scaledObjects(cluster: KubernetesCluster, workload: KubernetesObject, namespace: string): Promise<Owner[]> {
  const kind = 'scaledobjects.keda.sh';
  const { items } = await orNone(() => cluster.list({ kind, namespace }));
  return items.filter((scaler) => targets(scaler, workload)).map(({ metadata }) => ({ by: 'keda' as const, name: `ScaledObject ${namespace}/${metadata.name}`, pause: annotated({ kind, namespace, name: metadata.name }, kedaPaused, 'true', metadata.annotations?.[kedaPaused]) }));
}

const argoSkip = 'argocd.argoproj.io/skip-reconcile';

/** `app:apps/Deployment:shop/web`; an application outside Argo CD's own namespace is `namespace_app`. */
function argocd({ metadata }: KubernetesObject): Owner[] {
  const id = metadata.annotations?.['argocd.argoproj.io/tracking-id'] ?? metadata.labels?.['argocd.argoproj.io/instance'];
  if (id === undefined) return [];
  const [app = ''] = id.split(':');
  const [name = '', namespace = 'argocd'] = app.split('_').reverse();
  return [{ by: 'argocd', name: `Argo CD application ${namespace}/${name}`, pause: annotated({ kind: 'applications.argoproj.io', namespace, name }, argoSkip, 'true', undefined) }];
}

function flux({ metadata }: KubernetesObject): Owner[] {
  return (['kustomize', 'helm'] as const).flatMap((by) => {
    const name = metadata.labels?.[`${by}.toolkit.fluxcd.io/name`];
    const namespace = metadata.labels?.[`${by}.toolkit.fluxcd.io/namespace`];
    if (name === undefined || namespace === undefined) return [];
    const kind = by === 'kustomize' ? 'kustomizations.kustomize.toolkit.fluxcd.io' : 'helmreleases.helm.toolkit.fluxcd.io';
    return [{ by: 'flux' as const, name: `Flux ${kind.split('.')[0]} ${namespace}/${name}`, pause: { reference: { kind, namespace, name }, on: suspended(true), off: suspended(false) } }];
  });
}

function annotated(reference: Reference, key: string, value: string, before: string | undefined): Pause {
  return { reference, on: annotation(key, value), off: annotation(key, before) };
}

function annotation(key: string, value: string | undefined): Record<string, unknown> {
  return { metadata: { annotations: { [key]: value ?? null } } };
}

function suspended(suspend: boolean): Record<string, unknown> {
  return { spec: { suspend } };
}

/** A cluster without the kind has none of it. */
async function orNone(list: () => ReturnType<KubernetesCluster['list']>): Promise<{ readonly items: readonly KubernetesObject[] }> {
  try {
    return await list();
  } catch (error) {
    if (error instanceof StepError && error.code === 'k8s-no-such-kind') return { items: [] };
    throw error;
  }
}

