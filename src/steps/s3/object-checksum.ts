import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { choose, noChanges, objectInput, place, readingRights, record, versionInput, versionOutput } from './lib/object.js';

export const step = defineStep({
  type: 's3.object-checksum',
  summary: 'Reads an object whole and compares the SHA-256 of its bytes with what the runbook expects and with what the store recorded when it was written. An ETag is not taken for a checksum.',
  input: Type.Object({ ...objectInput, ...versionInput, sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Expected; without it the store must have recorded one' })) }, strict),
  output: Type.Object({ ...versionOutput, sha256: Type.String() }, strict),
  effect: 'read',
  changes: noChanges,
  permissions: readingRights('ListBucketVersions', 'GetObject', 'GetObjectVersion'),
  evidence: ['object-versions'],
  examples: [{ title: 'The dump is still what was uploaded', with: { bucket: 'dumps', key: 'app.dump', sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' } }],
  plan: (given) => ({ does: `Reads ${place(given)} and compares its checksum`, calls: [`s3:GetObject ${place(given)}`] }),
  async run(given, ctx) {
    const versions = await ctx.ports.s3.versions(given.bucket, given.key);
    const found = await choose(given, versions);
    const head = await ctx.ports.s3.head(given.bucket, given.key, found.version);
    const { sha256: read, size } = await ctx.ports.s3.digest(given.bucket, given.key, found.version, ctx.signal);
    const recorded = head?.recorded ?? null;
    const expected = given.sha256 ?? null;
    await record(given, versions, { version: given.version ?? null, at: given.at ?? null, found: { version: found.version, at: found.at, size }, sha256: { read, recorded, expected } }, ctx);
    const where = `${given.key} in ${given.bucket} at version ${found.version}`;
    if (expected === null && recorded === null) throw new StepError('nothing-to-compare', `${where}: the store recorded no SHA-256, and the runbook expects none`, { hint: 'Give `sha256`, or upload with a SHA-256 checksum.' });
    for (const [other, whose] of [[expected, 'the runbook expects'], [recorded, 'the store recorded']] as const) {
      if (other !== null && other !== read) throw new StepError('checksum-differs', `${where} has the SHA-256 ${read}, ${whose} ${other}`);
    }
    return { version: found.version, at: found.at, size, sha256: read };
  },
});
