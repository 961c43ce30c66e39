import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { sha256 } from '../canonical.js';
import { DocumentError, messageOf, type SourcePosition } from '../errors.js';
import { packageRoot } from '../package-root.js';
import { validator } from '../validators.js';
import type { WatchPolicy } from '../watch/policy.js';
import type { Profile } from '../watch/profile.js';
import { reportSchema } from './schema-errors.js';
import { parseSource } from './source.js';

/**
 * A profile of expected changes: one that ships with Muster by its name, or a file by its path from the environment's folder
 * (`./profiles/shop.yaml`). Throws DocumentError with everything that is wrong; one that is not there at `named`.
 */
export async function loadProfile(name: string, environmentFile: string, named: SourcePosition): Promise<WatchPolicy['profiles'][number]> {
  const isFile = name.includes('/') || /\.ya?ml$/.test(name);
  const file = isFile ? resolve(dirname(environmentFile), name) : join(packageRoot(), 'runbooks', 'profiles', `${name}.yaml`);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new DocumentError([{ position: named, message: `the profile ${name} cannot be read: ${messageOf(error)}`, hint: isFile ? 'The path starts at the folder of the environment.' : 'A profile of your own is named by its path, such as ./profiles/shop.yaml' }]);
  }
  const source = parseSource(isFile ? name : `runbooks/profiles/${name}.yaml`, bytes.toString('utf8'));
  reportSchema(validator('profile'), source.value, [], source.report);
  const diagnostics = source.report.diagnostics();
  if (diagnostics.length > 0) throw new DocumentError(diagnostics);
  const { metadata, expect } = source.value as Profile;
  for (const [index, entry] of expect.entries()) {
    for (const field of ['actor', 'object', 'change'] as const) {
      try {
        new RegExp(entry[field] ?? '', 'u');
      } catch (error) {
        source.report.add(['expect', index, field], { message: `this is no regular expression: ${messageOf(error)}` });
      }
    }
  }
  const wrong = source.report.diagnostics();
  if (wrong.length > 0) throw new DocumentError(wrong);
  return { name: metadata.name, sha256: sha256(bytes), expect };
}
