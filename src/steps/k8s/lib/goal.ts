import type { KubernetesObject } from '../../../clients/kubernetes/port.js';
import { inWords } from '../../../engine/plannable.js';
import { textAt } from './jsonpath.js';

/** What is waited for. `count` undefined: all that are there, and at least one. */
export type Goal =
  | { readonly kind: 'gone'; readonly uid: string | undefined }
  | { readonly kind: 'condition'; readonly type: string; readonly status: string; readonly count: number | undefined }
  | { readonly kind: 'path'; readonly path: string; readonly value: string | undefined; readonly count: number | undefined };

interface Conditioned {
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly { readonly type: string; readonly status: string; readonly observedGeneration?: number }[] };
}

/** How many objects fulfil the goal, once it is reached; undefined before. */
export function fulfils(objects: readonly KubernetesObject[], goal: Goal): number | undefined {
  if (goal.kind === 'gone') return objects.some(({ metadata }) => goal.uid === undefined || metadata.uid === goal.uid) ? undefined : 0;
  const good = objects.filter((object) => (goal.kind === 'condition' ? hasCondition(object, goal.type, goal.status) : hasValue(object, goal.path, goal.value))).length;
  const enough = goal.count === undefined ? good > 0 && good === objects.length : good >= goal.count;
  return enough ? good : undefined;
}

/** A status that the controller wrote before it saw the last change of the object says nothing about it. */
export function hasCondition(object: KubernetesObject, type: string, status: string): boolean {
  const { status: { observedGeneration, conditions = [] } = {} } = object as Conditioned;
  const current = object.metadata.generation ?? 0;
  if (object.metadata.deletionTimestamp !== undefined || (observedGeneration ?? current) < current) return false;
  return conditions.some((condition) => condition.type === type && condition.status === status && (condition.observedGeneration ?? current) >= current);
}

function hasValue(object: KubernetesObject, path: string, value: string | undefined): boolean {
  const text = textAt(object, path);
  return text !== undefined && (value === undefined || text === value);
}

/** What is waited for in the words of a plan. */
export function inQuestion({ condition, jsonPath, value, deleted, count }: { readonly condition?: unknown; readonly jsonPath?: unknown; readonly value?: unknown; readonly deleted?: unknown; readonly count?: unknown }): string {
  const many = count === undefined ? '' : ` (${inWords(count)} of them)`;
  if (deleted === true) return 'is gone';
  if (condition !== undefined) return `has the condition ${inWords(condition)}=${value === undefined ? 'True' : inWords(value)}${many}`;
  return `has ${value === undefined ? 'a value' : JSON.stringify(inWords(value))} at ${inWords(jsonPath)}${many}`;
}
