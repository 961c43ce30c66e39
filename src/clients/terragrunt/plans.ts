import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256 } from '../../engine/canonical.js';
import { StepError } from '../../engine/errors.js';
import { planFacts } from '../terraform/plan-facts.js';
import { changedCode } from './code.js';
import type { StackPlan, StackPlanRequest, Unit, UnitPlan } from './port.js';

/** Where the plans of one `run --all` lie, as Terragrunt lays them out: <unit>/tfplan.tfplan and <unit>/tfplan.json. */
export interface PlanFolder {
  readonly path: string;
  readonly out: string;
  readonly json: string;
  readonly report: string;
}

const folderOf = (path: string): PlanFolder => ({ path, out: join(path, 'out'), json: join(path, 'json'), report: join(path, 'report.json') });
const plansIn = (work: string): string => join(work, 'plans');

export async function draftFolder(work: string, mark: string): Promise<PlanFolder> {
  const folder = folderOf(join(plansIn(work), `${mark}.draft`));
  await rm(folder.path, { recursive: true, force: true });
  await mkdir(folder.path, { recursive: true, mode: 0o700 });
  return folder;
}

/** Keeps what was planned under its digest. `planned`: units that have a plan; `units`: all, for what hangs on what. */
export async function keepPlan(work: string, draft: PlanFolder, { env, targets, destroy }: StackPlanRequest, planned: readonly string[], units: readonly Unit[], code: Readonly<Record<string, string>>): Promise<StackPlan> {
  const made: Omit<UnitPlan, 'provisional'>[] = [];
  for (const { unit, after } of units.filter((each) => planned.includes(each.unit))) {
    made.push({ unit, after, sha256: sha256(await readFile(join(draft.out, unit, 'tfplan.tfplan'))), facts: planFacts(await readFile(join(draft.json, unit, 'tfplan.json'), 'utf8')) });
  }
  const content = { env, targets, destroy, code, units: withProvisional(made, destroy) };
  const text = canonicalJson(content);
  const id = sha256(text);
  await writeFile(join(draft.path, 'plan.json'), text, { mode: 0o600 });
  await rm(join(plansIn(work), id), { recursive: true, force: true });
  await rename(draft.path, join(plansIn(work), id));
  return { id, ...content };
}

/** What hangs on something that is yet to be altered stands on mocks, or on outputs that are about to change. Nothing does while all goes down. */
function withProvisional(units: readonly Omit<UnitPlan, 'provisional'>[], destroy: boolean): UnitPlan[] {
  const open = new Set<string>();
  // Dependencies come first.
  return units.map((plan) => {
    const provisional = !destroy && plan.after.some((unit) => open.has(unit));
    if (provisional || isChange(plan.facts)) open.add(plan.unit);
    return { ...plan, provisional };
  });
}

export function isChange({ changes, outputs }: UnitPlan['facts']): boolean {
  return changes.length > 0 || outputs.length > 0;
}

/** Throws StepError `no-such-plan`, `plan-changed`, `plan-stale`. */
export async function savedPlan(work: string, id: string, code: Readonly<Record<string, string>>): Promise<StackPlan> {
  const folder = planFolder(work, id);
  const text = await readFile(join(folder.path, 'plan.json'), 'utf8').catch(() => {
    throw new StepError('no-such-plan', `no plan ${id.slice(0, 12)} was saved in this run`);
  });
  const again = 'Plan again, and have the new plan looked at.';
  if (sha256(text) !== id) throw new StepError('plan-changed', `the saved plan ${id.slice(0, 12)} is not the one that was shown: its digest has changed`, { hint: again });
  const plan: StackPlan = { id, ...(JSON.parse(text) as Omit<StackPlan, 'id'>) };
  for (const { unit, sha256: expected } of plan.units) {
    const bytes = await readFile(join(folder.out, unit, 'tfplan.tfplan')).catch(() => Buffer.alloc(0));
    if (sha256(bytes) !== expected) throw new StepError('plan-changed', `the saved plan of unit ${unit} is not the one that was shown: its digest has changed`, { hint: again });
  }
  const changed = changedCode(plan.code, code);
  if (changed.length > 0) throw new StepError('plan-stale', `the code has changed since the plan was made and shown: ${changed.slice(0, 10).join(', ')}`, { hint: again });
  return plan;
}

/** Throws StepError `no-such-plan` for what is no digest. */
export function planFolder(work: string, id: string): PlanFolder {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new StepError('no-such-plan', `${JSON.stringify(id.slice(0, 80))} is no plan of this run`);
  return folderOf(join(plansIn(work), id));
}
