import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ErrorObject } from 'ajv';
import { packageRoot } from './package-root.js';

export type ValidationError = ErrorObject;

/** Says whether `data` holds to the schema; `errors` then tells why not. */
export interface Validate {
  (data: unknown): boolean;
  errors?: ValidationError[] | null;
}

/** The build has bin/load.js do it, with the code that V8 made of the file. */
const loadFile = createRequire(import.meta.url);
const loaded = new Map<string, Validate>();

/**
 * A precompiled validator of schemas/validators: `runbook`, `environment`, `plan`, `event`, `drill`, `evidence` ({ kind, data }),
 * `steps/<type>.tolerant` (members may be templates), `steps/<type>.strict`, `steps/<type>.output`,
 * `provision/<type>.strict`. Loads that one only. Throws RangeError when there is none of that name.
 */
export function validator(name: string): Validate {
  let validate = loaded.get(name);
  if (validate === undefined) {
    const file = join(packageRoot(), 'schemas', 'validators', `${name}.cjs`);
    if (!/^[a-z][a-z0-9./-]*$/.test(name) || name.includes('..') || !existsSync(file)) throw new RangeError(`there is no validator ${name}`);
    validate = loadFile(file) as Validate;
    loaded.set(name, validate);
  }
  return validate;
}

/** The errors without those that only repeat that a branch of the schema failed. */
export function realErrors(validate: Validate): readonly ValidationError[] {
  return (validate.errors ?? []).filter((error) => error.keyword !== 'if');
}
