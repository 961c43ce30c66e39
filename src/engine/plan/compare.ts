import { canonicalJson } from '../canonical.js';
import { flattenSteps, type PlanBinding, type PlanStep } from '../plan-document.js';
import { alarmOf } from './alarms.js';
import type { PlanDifference } from './difference.js';

/** Follows from other fields: told only when nothing that it follows from differs. */
const derived = new Set(['does', 'calls', 'undo', 'changes']);

/**
 * Everything that differs, in the order of a plan; empty exactly when both bindings say the same. The commit that HEAD was at
 * is left out: what counts is the content of the documents, and whether it is committed.
 */
export function comparePlans(before: PlanBinding, after: PlanBinding): PlanDifference[] {
  const found: PlanDifference[] = [];
  const add = (difference: Omit<PlanDifference, 'alarm'>) => void found.push({ ...difference, alarm: alarmOf(difference) });
  const compare = (area: string, one: unknown, other: unknown, what = ''): void => leaves(one, other, what, (leaf) => add({ area, ...leaf }));

  compare('muster', before.tool, after.tool, 'version');
  compare('muster', before.rules, after.rules, 'verdict rules');
  compare('runbook', withoutCommit(before.runbook), withoutCommit(after.runbook));
  compare('objectives', before.objectives, after.objectives);
  compare('fault', before.fault, after.fault, 'kind');
  members('input', before.inputs, after.inputs, add, compare);
  const { connections, endpoints, boundary, forbidden, watch, approvals, ...rest } = before.environment;
  const { connections: newConnections, endpoints: newEndpoints, boundary: newBoundary, forbidden: newForbidden, watch: newWatch, approvals: newApprovals, ...newRest } = after.environment;
  compare('environment', withoutCommit(rest), withoutCommit(newRest));
  compare('boundary', boundary, newBoundary);
  compare('forbidden', forbidden, newForbidden);
  compare('watch', watch, newWatch);
  compare('approvals', approvals, newApprovals);
  members('connection', connections, newConnections, add, compare);
  members('endpoint', endpoints, newEndpoints, add, compare);
  members('probe', byId(before.probes), byId(after.probes), add, compare);
  steps('step', placed(before), placed(after), add, compare);
  steps('cleanup step', new Map(before.cleanup.map((step) => [step.id, { step, branch: null }])), new Map(after.cleanup.map((step) => [step.id, { step, branch: null }])), add, compare);
  compare('required evidence', before.requiredEvidence, after.requiredEvidence);
  if (found.length === 0 && canonicalJson(neutral(before)) !== canonicalJson(neutral(after))) add({ area: 'plan', kind: 'changed', what: 'order of its parts' });
  return found;
}

type Add = (difference: Omit<PlanDifference, 'alarm'>) => void;
type Compare = (area: string, one: unknown, other: unknown, what?: string) => void;
type Placed = ReadonlyMap<string, { readonly step: PlanStep; readonly branch: string | null }>;

function members(kind: string, before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>, add: Add, compare: Compare): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const area = `${kind} ${name}`;
    if (!Object.hasOwn(before, name)) add({ area, kind: 'added', what: '', after: after[name] });
    else if (!Object.hasOwn(after, name)) add({ area, kind: 'removed', what: '', before: before[name] });
    else compare(area, before[name], after[name]);
  }
}

function steps(kind: string, before: Placed, after: Placed, add: Add, compare: Compare): void {
  const kept = inSameOrder([...before.keys()].filter((id) => after.has(id)), [...after.keys()].filter((id) => before.has(id)));
  for (const [id, { step }] of before) if (!after.has(id)) add({ area: `${kind} ${id}`, kind: 'removed', what: '', before: step });
  const order = [...after.keys()];
  for (const [id, { step, branch }] of after) {
    const area = `${kind} ${id}`;
    const old = before.get(id);
    if (old === undefined) {
      add({ area, kind: 'added', what: '', after: step });
      continue;
    }
    const previous = order[order.indexOf(id) - 1];
    if (!kept.has(id)) add({ area, kind: 'moved', what: previous === undefined ? 'to the beginning' : `after ${previous}` });
    compare(area, old.branch, branch, 'branch');
    const open = new Set(Object.keys(step));
    if (canonicalJson(old.step.with) !== canonicalJson(step.with)) for (const name of derived) open.delete(name);
    const only = (whole: PlanStep) => Object.fromEntries(Object.entries(whole).filter(([name]) => open.has(name) || !derived.has(name)));
    compare(area, only(old.step), only(step));
  }
}

/** Ids of a longest common subsequence: those that did not move. */
function inSameOrder(one: readonly string[], other: readonly string[]): Set<string> {
  const best: string[][][] = Array.from({ length: one.length + 1 }, () => Array.from({ length: other.length + 1 }, () => []));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      const [skipOne, skipOther, both] = [best[i + 1]?.[j] ?? [], best[i]?.[j + 1] ?? [], best[i + 1]?.[j + 1] ?? []];
      const row = best[i];
      if (row !== undefined) row[j] = one[i] === other[j] ? [one[i] ?? '', ...both] : skipOne.length >= skipOther.length ? skipOne : skipOther;
    }
  }
  return new Set(best[0]?.[0] ?? []);
}

type Leaf = Omit<PlanDifference, 'alarm' | 'area'>;

function leaves(before: unknown, after: unknown, what: string, leaf: (found: Leaf) => void): void {
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return;
  if (Array.isArray(before) && Array.isArray(after)) {
    const [old, now] = [before.map(canonicalJson), after.map(canonicalJson)];
    const removed = before.filter((_, at) => !now.includes(old[at] ?? ''));
    const added = after.filter((_, at) => !old.includes(now[at] ?? ''));
    for (const item of removed) leaf({ kind: 'removed', what, before: item });
    for (const item of added) leaf({ kind: 'added', what, after: item });
    if (removed.length + added.length === 0) leaf({ kind: 'moved', what, before, after });
    return;
  }
  if (isMapping(before) && isMapping(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) leaves(before[name], after[name], what === '' ? name : `${what}.${name}`, leaf);
    return;
  }
  const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  // A list that was not there is as its items added one by one.
  if (kind === 'added' && Array.isArray(after)) for (const item of after) leaf({ kind, what, after: item });
  else if (kind === 'removed' && Array.isArray(before)) for (const item of before) leaf({ kind, what, before: item });
  else leaf({ kind, what, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) });
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function placed(binding: PlanBinding): Placed {
  return new Map(flattenSteps(binding.steps).map((each) => [each.step.id, each]));
}

function byId(probes: PlanBinding['probes']): Record<string, unknown> {
  return Object.fromEntries(probes.map((probe) => [probe.id, Object.fromEntries(Object.entries(probe).filter(([name]) => !derived.has(name)))]));
}

function withoutCommit<T extends Pick<PlanBinding['runbook'], 'git'>>(document: T): T {
  return { ...document, git: document.git === null ? null : { ...document.git, commit: null } };
}

function neutral(binding: PlanBinding): PlanBinding {
  return { ...binding, runbook: withoutCommit(binding.runbook), environment: withoutCommit(binding.environment) };
}
