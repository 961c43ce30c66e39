import type { KubernetesObject, ListOptions, ReadOptions } from './port.js';
import type { Served } from './discovery.js';

interface Answered {
  readonly metadata?: { readonly managedFields?: unknown };
}

/** Objects in lists bear no kind of their own, and metadata-only ones that of the partial form. */
export function objectOf(value: unknown, { apiVersion, kind }: Pick<Served, 'apiVersion' | 'kind'>, { managedFields = false }: ReadOptions): KubernetesObject {
  const object = value as Answered;
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, apiVersion, kind, metadata: managedFields ? object.metadata : metadata } as KubernetesObject;
}

const partial = (form: string): string => `application/json;as=${form};g=meta.k8s.io;v=v1`;

export function acceptOf({ metadataOnly = false }: ListOptions, form: 'PartialObjectMetadata' | 'PartialObjectMetadataList'): { readonly accept?: string } {
  return metadataOnly ? { accept: partial(form) } : {};
}
