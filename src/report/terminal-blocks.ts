import type { PlanNode, PlanStep } from '../engine/plan-document.js';

export type Block = { readonly kind: 'step'; readonly id: string } | { readonly kind: 'parallel'; readonly branches: Readonly<Record<string, readonly string[]>> };

export interface PhaseBlocks {
  readonly phase: PlanStep['phase'];
  readonly blocks: readonly Block[];
}

/** The steps by phase, in plan order. A parallel block stands in the phase of its first step. */
export function blocksOf(nodes: readonly PlanNode[]): PhaseBlocks[] {
  const phases: { phase: PlanStep['phase']; blocks: Block[] }[] = [];
  for (const node of nodes) {
    const first = node.kind === 'step' ? node : Object.values(node.branches)[0]?.[0];
    if (first === undefined) continue;
    let last = phases.at(-1);
    if (last?.phase !== first.phase) {
      last = { phase: first.phase, blocks: [] };
      phases.push(last);
    }
    last.blocks.push(
      node.kind === 'step'
        ? { kind: 'step', id: node.id }
        : { kind: 'parallel', branches: Object.fromEntries(Object.entries(node.branches).map(([name, steps]) => [name, steps.map(({ id }) => id)])) },
    );
  }
  return phases;
}
