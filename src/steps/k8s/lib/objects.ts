import type { KubernetesCluster, KubernetesObject, Reference } from '../../../clients/kubernetes/port.js';
import { StepError } from '../../../engine/errors.js';

/** The input of a step that works on one object. */
export interface ObjectInput {
  readonly kind: string;
  readonly apiVersion?: string;
  readonly namespace?: string;
  readonly name: string;
}

export function referenceOf({ kind, apiVersion, namespace, name }: ObjectInput): Reference {
  return { kind, name, ...(apiVersion === undefined ? {} : { apiVersion }), ...(namespace === undefined ? {} : { namespace }) };
}

/** As cleanups keep it: with the version and namespace that the server gave, so that nothing has to be guessed later. */
export function storedReference({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): Record<string, string> {
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** The reference and the connection of a cleanup's data. */
export function storedObject(data: Record<string, unknown>): { readonly connection: string; readonly reference: Reference } {
  const { kubernetes, apiVersion, kind, name, namespace } = data;
  if (typeof kubernetes !== 'string' || typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof name !== 'string') throw new TypeError('not the data of a Kubernetes cleanup');
  return { connection: kubernetes, reference: { apiVersion, kind, name, ...(typeof namespace === 'string' ? { namespace } : {}) } };
}

/** uid of an object that the server gave. */
export function uidOf({ kind, metadata }: KubernetesObject): string {
  if (metadata.uid === undefined) throw new StepError('k8s-error', `the API server gave no uid of ${kind} ${metadata.name}`);
  return metadata.uid;
}

/** In the words of logs and errors: `Deployment shop/web`. */
export function nameOf({ kind, metadata: { name, namespace } }: Pick<KubernetesObject, 'kind' | 'metadata'>): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** The object without what must not be recorded: the values of a Secret, also where kubectl keeps a copy. */
export function withoutSecrets(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'Secret') return object;
  const { data: _data, stringData: _stringData, metadata, ...rest } = object;
  const { annotations: _annotations, ...visible } = metadata;
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata: visible };
}

/** The one object with that uid, or undefined when it is gone or another one bears its name. */
export async function sameObject(cluster: KubernetesCluster, reference: Reference, uid: string): Promise<KubernetesObject | undefined> {
  const found = await cluster.find(reference);
  return found?.metadata.uid === uid ? found : undefined;
}
