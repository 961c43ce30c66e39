import { Type } from 'typebox';
import type { Change, Plannable } from '../../../engine/define-step.js';
import type { Permission } from '../../../engine/permission.js';
import { inWords } from '../../../engine/plannable.js';
import { ConnectionName, literals, strict } from '../../../engine/schema.js';

export const Infrastructure = ConnectionName('infrastructure', 'The Terragrunt units: a connection with provision terragrunt');
export const Units = Type.Array(Type.String({ pattern: '^[^/.][^*?{}]*$', description: 'Path of a unit, from the connection\'s directory on' }), { minItems: 1, description: 'Only these units; default: all' });
export const Env = Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String(), { description: 'Flags for the code, added to the environment of every command (ENABLE_CNPG: "true"); no secrets' });
export const PlanId = Type.String({ description: 'Output `plan` of terragrunt.plan: the digest of the saved plans' });

/** What Terragrunt may say of a unit that came through all the same. */
export const Tolerate = Type.Array(Type.Object({ unit: Type.String({ minLength: 1 }), reason: literals(['retry succeeded', 'error ignored']) }, strict), {
  description: 'Units that may come through by a retry, or with an error that is ignored: without it neither is clean',
});

export const mayDestroyInput = (otherwise: readonly string[]) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { default: [...otherwise], description: 'What may be destroyed or replaced, as `<unit> <resource address>`, `*` for any text; the environment must allow each as well' }));

/** ENABLE_CNPG=true, as a shell would have it before the command. */
export function envWords(env: unknown): string {
  if (env === undefined) return '';
  if (typeof env !== 'object' || env === null || 'unknown' in env) return `${inWords(env)} `;
  return Object.entries(env).map(([name, value]) => `${name}=${inWords(value)} `).join('');
}

export const unitFlags = (units: unknown): string => (Array.isArray(units) ? units.map((unit) => ` --filter=./${inWords(unit)}`).join('') : units === undefined ? '' : ` --filter=./${inWords(units)}`);

export const stackChanges = (infrastructure: Plannable<string> | undefined): readonly Change[] => [{ system: `infrastructure:${inWords(infrastructure)}`, object: '*' }];

export const commands: readonly Permission[] = [{ system: 'command', command: 'terragrunt' }, { system: 'command', command: 'terraform' }];
