import { canonicalJson, sha256 } from '../../../engine/canonical.js';
import type { StepContext } from '../../../engine/define-step.js';
import { RefusedError } from '../../../engine/errors.js';
import type { StackPlan, Unit, UnitPlan, UnitState } from '../../../clients/terragrunt/port.js';

/** Which code it is: its commit, whether that is what lies there, and its digest. */
export async function recordCode(ctx: StepContext, connection: string, units: readonly Unit[]): Promise<void> {
  const folder = ctx.ports.terragrunt.directory(connection);
  const code = await ctx.ports.terragrunt.code(connection);
  const head = await ctx.ports.git.head(folder);
  const differing = head === null ? [] : await ctx.ports.git.differing(folder).catch((error: unknown) => {
    if (error instanceof RefusedError) return [];
    throw error;
  });
  await ctx.evidence('infrastructure-code', {
    connection,
    commit: head?.commit ?? null,
    differing: differing.map(({ path }) => path),
    digest: sha256(canonicalJson(code)),
    units: units.map(({ unit, after }) => ({ unit, after: [...after] })),
  });
}

export async function recordPlan(ctx: StepContext, connection: string, plan: StackPlan): Promise<void> {
  await ctx.evidence('infrastructure-plan', {
    connection,
    plan: plan.id,
    destroys: plan.destroy,
    env: { ...plan.env },
    targets: [...plan.targets],
    units: plan.units.map((unit) => ({ unit: unit.unit, sha256: unit.sha256, ...countsOf(unit), gone: goneIn(unit), provisional: unit.provisional })),
  });
}

export async function recordStates(ctx: StepContext, connection: string, when: 'before' | 'applied' | 'destroyed', states: readonly UnitState[]): Promise<void> {
  await ctx.evidence('infrastructure-state', { connection, when, units: states.map(({ unit, state }) => ({ unit, lineage: state?.lineage ?? null, serial: state?.serial ?? null, resources: state?.resources.length ?? 0 })) });
}

export interface Counts {
  readonly create: number;
  readonly update: number;
  readonly replace: number;
  readonly destroy: number;
}

export function countsOf({ facts: { counts } }: Pick<UnitPlan, 'facts'>): Counts {
  return { create: counts.create, update: counts.update, replace: counts.replace, destroy: counts.destroy };
}

export function sumOf(units: readonly Pick<UnitPlan, 'facts'>[]): Counts {
  const sum = (action: keyof Counts) => units.reduce((total, { facts }) => total + facts.counts[action], 0);
  return { create: sum('create'), update: sum('update'), replace: sum('replace'), destroy: sum('destroy') };
}

/** Addresses of what would be destroyed or replaced. */
export function goneIn({ facts }: Pick<UnitPlan, 'facts'>): string[] {
  return facts.changes.filter(({ action }) => action === 'destroy' || action === 'replace').map(({ address }) => address);
}

/** The plan in lines for a log: counts for each unit, and every single thing that would go. */
export function planLines({ units }: StackPlan): string[] {
  return units.flatMap((unit) => {
    const { create, update, replace, destroy } = countsOf(unit);
    const gone = unit.facts.changes.filter(({ action }) => action === 'destroy' || action === 'replace' || action === 'forget').map(({ address, action }) => `  ${action} ${address}`);
    return [`${unit.unit}: ${create} to create, ${update} to update, ${replace} to replace, ${destroy} to destroy${unit.provisional ? '; to be planned again once what it hangs on is there' : ''}`, ...gone];
  });
}
