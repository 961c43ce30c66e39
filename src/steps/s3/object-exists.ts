import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { checkVersioning, choose, noChanges, objectInput, place, readingRights, record, versionInput, versionOutput } from './lib/object.js';

export const step = defineStep({
  type: 's3.object-exists',
  summary: 'Finds an object as it is now, at a version or at a time, and asks the store whether that version can be read.',
  input: Type.Object({ ...objectInput, ...versionInput, minSize: Type.Optional(Type.Integer({ minimum: 0, default: 1, description: 'In bytes' })) }, strict),
  output: Type.Object(versionOutput, strict),
  effect: 'read',
  changes: noChanges,
  permissions: readingRights('ListBucketVersions', 'GetObject', 'GetObjectVersion'),
  evidence: ['object-versions'],
  examples: [
    { title: 'What was there before the incident', with: { bucket: 'uploads', key: 'invoices/2026.csv', at: '2026-11-20T10:00:00Z' } },
    { title: 'At a version', with: { bucket: 'states', key: 'shop/terraform.tfstate', version: '{{ steps.versions.previous.version }}' } },
  ],
  plan(given) {
    const { version, at } = membersOf(given);
    const which = version !== undefined ? `at version ${inWords(version)}` : at !== undefined ? `as it was at ${inWords(at)}` : 'as it is now';
    return { does: `Finds ${place(given)} ${which}`, calls: [`s3:ListObjectVersions ${place(given)}`, `s3:HeadObject ${place(given)}`] };
  },
  preflight: checkVersioning,
  async run(given, ctx) {
    const versions = await ctx.ports.s3.versions(given.bucket, given.key);
    const asked = { version: given.version ?? null, at: given.at ?? null };
    const found = await choose(given, versions).catch(async (error: unknown) => {
      await record(given, versions, { ...asked, found: null, sha256: null }, ctx);
      throw error;
    });
    const head = await ctx.ports.s3.head(given.bucket, given.key, found.version);
    await record(given, versions, { ...asked, found: head === null ? null : { version: found.version, at: head.at, size: head.size }, sha256: null }, ctx);
    if (head === null) throw new StepError('no-such-version', `${given.key} in ${given.bucket} is listed at version ${found.version}, and cannot be read there`);
    const { minSize = 1 } = given;
    if (head.size < minSize) throw new StepError('object-too-small', `${given.key} in ${given.bucket} has ${head.size} bytes at version ${found.version}, expected at least ${minSize}`);
    return { version: found.version, at: head.at, size: head.size };
  },
});
