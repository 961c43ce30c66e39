import { Type } from 'typebox';
import { ConnectionName, Duration } from '../../../engine/schema.js';

/** Input fields that the CloudNativePG types share. */
export { Kubernetes, Namespace } from '../../k8s/lib/inputs.js';
export const ClusterName = Type.String({ minLength: 1, maxLength: 50, description: 'Name of the Cluster' });
export const Server = (description: string) => ConnectionName('postgres', description);
export const Within = (what: string, fallback: string) => Type.Optional(Duration(`How long ${what} may take; default ${fallback}. What is missing then is named; the timeout of the step holds too.`));

/** Of an input that names a Cluster, what the API wants. */
export function referenceOf(input: { readonly cluster: string; readonly namespace?: string }): { readonly name: string; readonly namespace?: string } {
  return { name: input.cluster, ...(input.namespace === undefined ? {} : { namespace: input.namespace }) };
}
