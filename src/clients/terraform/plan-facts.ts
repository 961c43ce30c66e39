import { differingAttributes, type Attribute } from './attributes.js';

export const planActions = ['create', 'update', 'replace', 'destroy', 'forget', 'read'] as const;
export type PlanAction = (typeof planActions)[number];

/** One resource that a plan alters, or that was altered behind Terraform's back. Names only, never values. */
export interface ResourceChange {
  readonly address: string;
  readonly action: PlanAction;
  /** What differs; empty where the whole resource comes or goes. */
  readonly attributes: readonly Attribute[];
}

/** What a plan would do. Facts without values. */
export interface PlanFacts {
  readonly version: string;
  readonly errored: boolean;
  /** null where this version of the tool does not say. */
  readonly complete: boolean | null;
  readonly applyable: boolean | null;
  readonly counts: Readonly<Record<PlanAction, number>>;
  /** Everything but `read`, sorted by address. */
  readonly changes: readonly ResourceChange[];
  /** Changes that the refresh found outside Terraform. */
  readonly drift: readonly ResourceChange[];
  /** Outputs whose value would change. */
  readonly outputs: readonly string[];
  /** Checks of the configuration (`check`, pre- and postconditions) that fail or could not be evaluated. */
  readonly failedChecks: readonly string[];
}

interface Change {
  readonly actions?: readonly string[];
  readonly before?: unknown;
  readonly after?: unknown;
  readonly after_unknown?: unknown;
  readonly before_sensitive?: unknown;
  readonly after_sensitive?: unknown;
}

interface PlanJson {
  readonly terraform_version?: string;
  readonly errored?: boolean;
  readonly complete?: boolean;
  readonly applyable?: boolean;
  readonly resource_changes?: readonly { readonly address: string; readonly change: Change }[];
  readonly resource_drift?: readonly { readonly address: string; readonly change: Change }[];
  readonly output_changes?: Readonly<Record<string, Change>>;
  readonly checks?: readonly { readonly address?: { readonly to_display?: string }; readonly status?: string }[];
}

/** From `terraform show -json PLAN` (plan representation 1.x). Throws SyntaxError when it is no JSON. */
export function planFacts(text: string): PlanFacts {
  const plan = JSON.parse(text) as PlanJson;
  const all = (plan.resource_changes ?? []).flatMap(changeOf);
  const counts = Object.fromEntries(planActions.map((action) => [action, all.filter((change) => change.action === action).length])) as Record<PlanAction, number>;
  return {
    version: plan.terraform_version ?? 'unknown',
    errored: plan.errored === true,
    complete: plan.complete ?? null,
    applyable: plan.applyable ?? null,
    counts,
    changes: sorted(all.filter(({ action }) => action !== 'read')),
    drift: sorted((plan.resource_drift ?? []).flatMap(changeOf)),
    outputs: Object.entries(plan.output_changes ?? {}).filter(([, { actions = [] }]) => actions.some((action) => action !== 'no-op')).map(([name]) => name).toSorted(),
    failedChecks: (plan.checks ?? []).filter(({ status }) => status === 'fail' || status === 'error').map(({ address }) => address?.to_display ?? 'a check').toSorted(),
  };
}

function changeOf({ address, change }: { readonly address: string; readonly change: Change }): ResourceChange[] {
  const action = actionOf(change.actions ?? []);
  if (action === undefined) return [];
  return [{ address, action, attributes: action === 'update' || action === 'replace' ? differingAttributes(change) : [] }];
}

/** `["delete","create"]` in either order is a replacement; `no-op` is nothing. */
function actionOf(actions: readonly string[]): PlanAction | undefined {
  const has = (action: string) => actions.includes(action);
  if (has('create') && (has('delete') || has('forget'))) return 'replace';
  if (has('delete')) return 'destroy';
  if (has('create')) return 'create';
  if (has('update')) return 'update';
  if (has('forget')) return 'forget';
  return has('read') ? 'read' : undefined;
}

function sorted(changes: readonly ResourceChange[]): ResourceChange[] {
  return changes.toSorted((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}
