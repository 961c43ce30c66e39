import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Change, Plannable, PlanContext, PreflightCheck } from '../../../engine/define-step.js';
import type { Permission } from '../../../engine/permission.js';
import { inWords, itemsOf, knownText, membersOf } from '../../../engine/plannable.js';
import { ConnectionName } from '../../../engine/schema.js';

const Address = (description: string) => Type.Array(Type.String({ minLength: 1, pattern: '^[^-]' }), { minItems: 1, description });

export const infrastructureInput = { infrastructure: ConnectionName('infrastructure', 'Provisioned by `terraform`') };

/** What a plan is made of. */
export const valuesInput = {
  vars: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_-]*$' }), Type.Unknown(), { description: 'Values of root variables; they travel in the environment, not on the command line' })),
  varFiles: Type.Optional(Type.Array(Type.String({ minLength: 1, pattern: '^[^-]' }), { description: "Files of values, from the infrastructure's folder on" })),
};

export const targetsInput = { targets: Type.Optional(Address('Only these resources and what they depend on')) };
export const replaceInput = { replace: Type.Optional(Address('Resources to make anew, whether they differ or not')) };

export const mayDestroyInput = (otherwise: readonly string[]) => ({
  mayDestroy: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { default: [...otherwise], description: 'Addresses that may be destroyed or replaced, `*` for any text; the environment must allow each as well' })),
});

const Values = Type.Object({ ...infrastructureInput, ...valuesInput, ...targetsInput, ...replaceInput });
export type Values = Static<typeof Values>;

export const infrastructureOf = (given: Plannable<{ readonly infrastructure: string }>): string => inWords(membersOf(given).infrastructure);

/** What is written: the state, and whatever it stands for. */
export const stateChanges = (given: Plannable<{ readonly infrastructure: string }>): readonly Change[] => [{ system: `infrastructure:${infrastructureOf(given)}`, object: '*' }];

/** The tool's program, and what it needs for the state; what providers need is the code's own. */
export const toolRights = (): readonly Permission[] => [{ system: 'command', command: 'terraform' }];

/** The arguments of a plan as one would type them; values are left out. */
export function planCall(given: Plannable<Partial<Values>>, more: readonly string[] = []): string {
  const { vars, varFiles, targets, replace } = membersOf(given);
  const names = Object.keys(membersOf(vars ?? {}));
  return [
    ...names.map((name) => `TF_VAR_${name}=...`),
    'terraform plan -detailed-exitcode -out=...',
    ...more,
    ...itemsOf(targets).map((target) => `-target=${inWords(target)}`),
    ...itemsOf(replace).map((address) => `-replace=${inWords(address)}`),
    ...itemsOf(varFiles).map((file) => `-var-file=${inWords(file)}`),
  ].join(' ');
}

/** Shown in plan and evidence. */
export const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** The state can be read. Deferred until the run has initialised the backend. */
export async function checkState(given: Plannable<{ readonly infrastructure: string }>, ctx: PlanContext): Promise<PreflightCheck[]> {
  const name = knownText(membersOf(given).infrastructure);
  if (name === undefined) return [];
  const state = await ctx.ports.infrastructure.state(name, ctx.signal);
  return [{ id: `state of ${name}`, result: 'passed', detail: state === null ? 'there is none yet' : `serial ${state.serial}, ${state.resources.length} resources, written by ${state.version}` }];
}
