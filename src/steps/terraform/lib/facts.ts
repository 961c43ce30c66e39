import type { PlanFacts, ResourceChange } from '../../../clients/terraform/plan-facts.js';
import type { SavedPlan } from '../../../clients/terraform/port.js';
import type { StateFacts } from '../../../clients/terraform/state.js';
import type { StepContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { asText } from './inputs.js';

/** Plain Terraform has one state: one unit. */
export const unit = '.';

/** What a plan takes away: destroyed, replaced, or no longer managed. */
export const gone = ({ changes }: PlanFacts): string[] => changes.filter(({ action }) => action === 'destroy' || action === 'replace' || action === 'forget').map(({ address }) => address);

/** Which code there is. */
export async function recordCode(infrastructure: string, ctx: StepContext): Promise<void> {
  const { commit, differing, digest } = await ctx.ports.infrastructure.code(infrastructure);
  await ctx.evidence('infrastructure-code', { connection: infrastructure, commit, differing: [...differing], digest, units: [{ unit, after: [] }] });
}

/** The plan as it is shown before anything is applied: counts, and each address that goes. */
export async function recordPlan(infrastructure: string, { sha256, facts, request }: SavedPlan, ctx: StepContext): Promise<void> {
  const { create, update, replace, destroy } = facts.counts;
  const env = Object.fromEntries(Object.entries(request.vars ?? {}).map(([name, value]) => [`TF_VAR_${name}`, asText(value)]));
  ctx.log(`plan ${sha256.slice(0, 12)}: ${inWords(facts)}`);
  for (const change of facts.changes) ctx.log(described(change));
  for (const address of gone(facts)) ctx.log(`goes: ${address}`);
  for (const check of facts.failedChecks) ctx.log(`check that does not hold: ${check}`);
  await ctx.evidence('infrastructure-plan', {
    connection: infrastructure,
    plan: sha256,
    destroys: request.destroy === true,
    env,
    targets: [...(request.targets ?? [])],
    units: [{ unit, sha256, create, update, replace, destroy, gone: gone(facts), provisional: false }],
  });
}

export async function recordState(infrastructure: string, when: EvidenceOf<'infrastructure-state'>['when'], state: StateFacts | null, ctx: StepContext): Promise<void> {
  await ctx.evidence('infrastructure-state', { connection: infrastructure, when, units: [{ unit, lineage: state?.lineage ?? null, serial: state?.serial ?? null, resources: state?.resources.length ?? 0 }] });
}

/** Throws StepError `plan-errored`, `plan-incomplete`, `plan-not-applyable`: a plan that says so of itself cannot be relied on. */
export function checkPlan({ facts, request }: SavedPlan): void {
  if (facts.errored) throw new StepError('plan-errored', 'the plan was saved, but making it ended with errors: it is not whole');
  if (facts.complete === false && (request.targets ?? []).length === 0) throw new StepError('plan-incomplete', 'the plan is not complete: after it was applied, another would be needed');
  if (facts.applyable === false && facts.changes.length > 0) throw new StepError('plan-not-applyable', 'the plan says of itself that it cannot be applied');
}

/** Throws StepError `not-allowed-to-destroy`, naming each address and whose allowance it lacks. */
export function checkAllowance(infrastructure: string, facts: PlanFacts, asked: readonly string[], ctx: StepContext): void {
  const boundary = ctx.ports.infrastructure.mayDestroy(infrastructure);
  const lacking = gone(facts).flatMap((address) => {
    if (!asked.some((pattern) => matches(pattern, address))) return [`${address} (mayDestroy of the step)`];
    return boundary.some((pattern) => matches(pattern, address)) ? [] : [`${address} (mayDestroy of connection ${infrastructure})`];
  });
  if (lacking.length === 0) return;
  throw new StepError('not-allowed-to-destroy', `the plan would destroy or replace what it may not: ${lacking.join(', ')}`, { hint: 'Look at the plan. If that is meant, the step and the environment must both allow it.' });
}

/** `*` stands for any text; everything else for itself. */
function matches(pattern: string, address: string): boolean {
  return new RegExp(`^${pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&')).join('.*')}$`, 'su').test(address);
}

/** `2 to create, 1 to replace`. */
export function inWords({ counts }: PlanFacts): string {
  const parts = (['create', 'update', 'replace', 'destroy', 'forget'] as const).filter((action) => counts[action] > 0).map((action) => `${counts[action]} to ${action}`);
  return parts.length === 0 ? 'no changes' : parts.join(', ');
}

/** Address and names of what differs; no value. */
export function described({ address, action, attributes }: ResourceChange): string {
  const names = attributes.map(({ name, sensitive }) => (sensitive ? `${name} (sensitive)` : name));
  return `${address}: ${action}${names.length === 0 ? '' : ` (${names.join(', ')})`}`;
}

/** As kinds/infrastructure.ts wants it. */
export function differences(changes: readonly ResourceChange[]): EvidenceOf<'drift'>['units'][number]['differences'] {
  const actions = { create: ['create'], update: ['update'], replace: ['delete', 'create'], destroy: ['delete'], forget: ['forget'], read: ['read'] } as const;
  return changes.map(({ address, action, attributes }) => ({ address, actions: [...actions[action]], attributes: attributes.map(({ name, sensitive }) => (sensitive ? `${name} (sensitive)` : name)) }));
}
