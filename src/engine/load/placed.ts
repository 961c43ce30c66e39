import type { Pointer } from './report.js';
import { isMapping, list, mapping, text, type Mapping } from './shape.js';

/** A step of a runbook with its place in the order of things. */
export interface Placed {
  readonly step: Mapping;
  readonly pointer: Pointer;
  readonly id: string | undefined;
  readonly uses: string | undefined;
  /** Index in `steps`, or in `cleanup` counted on from there. */
  readonly node: number;
  readonly branch: string | null;
  /** Index in the branch. */
  readonly index: number;
}

/** Every step of `steps` in document order. */
export function placeSteps(runbook: Mapping): Placed[] {
  const placed: Placed[] = [];
  for (const [node, each] of list(runbook['steps']).entries()) {
    if (!isMapping(each)) continue;
    if (each['parallel'] === undefined) placed.push(place(each, ['steps', node], node, null, 0));
    else
      for (const [branch, steps] of Object.entries(mapping(each['parallel'])))
        for (const [index, step] of list(steps).entries()) if (isMapping(step)) placed.push(place(step, ['steps', node, 'parallel', branch, index], node, branch, index));
  }
  return placed;
}

/** The steps of `cleanup`, which come after all others. */
export function placeCleanup(runbook: Mapping): Placed[] {
  const after = list(runbook['steps']).length;
  return list(runbook['cleanup']).flatMap((step, index) => (isMapping(step) ? [place(step, ['cleanup', index], after + index, null, 0)] : []));
}

function place(step: Mapping, pointer: Pointer, node: number, branch: string | null, index: number): Placed {
  return { step, pointer, id: text(step['id']), uses: text(step['uses']), node, branch, index };
}

/** Where `other` stands seen from `step`. */
export function relation(step: Placed, other: Placed): 'earlier' | 'itself' | 'later' | 'sibling' {
  if (other.node !== step.node) return other.node < step.node ? 'earlier' : 'later';
  if (other.branch !== step.branch) return 'sibling';
  return other.index < step.index ? 'earlier' : other.index === step.index ? 'itself' : 'later';
}
