import type { Change } from '../../../engine/define-step.js';
import type { KubernetesRight } from '../../../engine/permission.js';
import { inWords, knownText } from '../../../engine/plannable.js';
import { kindOf } from './kinds.js';

/** What a plan knows of an object; any of it may wait for the run. */
export interface PlannedObject {
  readonly kubernetes?: unknown;
  readonly kind?: unknown;
  readonly apiVersion?: unknown;
  readonly namespace?: unknown;
  readonly name?: unknown;
}

/** The object as change watchers name it: `deployment shop/web`, `node n1`. A namespace that is not said is any. */
export function changeOf(planned: PlannedObject): Change {
  return { system: `kubernetes:${inWords(planned.kubernetes)}`, object: objectName(planned, '*') };
}

/** The object in the words of a plan: `deployment shop/web`, `deployment web`. */
export function planned(object: PlannedObject): string {
  return objectName(object);
}

export interface RightOptions {
  /** `exec`, `status`, `scale`: of the same object. */
  readonly subresource?: string;
  /** false: every object of the kind, as for `list` and `watch`. */
  readonly named?: boolean;
}

/** The rule of a Role that lets these verbs through. */
export function rightOf(object: PlannedObject, verbs: readonly string[], { subresource, named = true }: RightOptions = {}): KubernetesRight {
  const kind = kindOf(inWords(object.kind), knownText(object.apiVersion));
  const namespace = knownText(object.namespace);
  const name = named ? knownText(object.name) : undefined;
  return {
    system: 'kubernetes',
    connection: inWords(object.kubernetes),
    verbs,
    apiGroup: kind.group,
    resource: subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`,
    ...(kind.namespaced ? (namespace === undefined ? {} : { namespace }) : { scope: 'cluster' }),
    ...(name === undefined ? {} : { names: [name] }),
  };
}

function objectName({ kind, apiVersion, namespace, name }: PlannedObject, anywhere?: string): string {
  const { singular, namespaced } = kindOf(inWords(kind), knownText(apiVersion));
  const place = namespaced ? (namespace === undefined ? anywhere : inWords(namespace)) : undefined;
  return `${singular} ${place === undefined ? '' : `${place}/`}${name === undefined ? '*' : inWords(name)}`;
}
