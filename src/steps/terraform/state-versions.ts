import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { checkBucket, chooseInput, chooseVersion, readVersion, readVersions, ruleOf, stateObject, versionRights } from './lib/versions.js';
import { record } from '../s3/lib/object.js';

const Version = { version: Type.String(), at: Type.String({ description: 'When it was written; S3 gives whole seconds' }), lineage: Type.String(), serial: Type.Integer(), resources: Type.Integer() };

export const step = defineStep({
  type: 'terraform.state-versions',
  summary: 'Lists the versions of a state in S3 by what stands in them (lineage, serial, number of resources), and picks the one to go back to.',
  input: Type.Object(chooseInput, strict),
  output: Type.Object({ current: Type.Object(Version, strict), chosen: Type.Object(Version, strict), versions: Type.Array(Type.Object(Version, strict), { description: 'The newest 50, newest first' }) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: versionRights,
  evidence: ['object-versions'],
  examples: [
    { title: 'The one before the current', with: { infrastructure: 'shop', bucket: 'states' } },
    { title: 'The one before an apply', with: { infrastructure: 'shop', bucket: 'states', serial: '{{ steps.apply.serialBefore }}' } },
  ],
  plan: (given) => ({ does: `Lists the versions of the state of ${inWords(membersOf(given).infrastructure)}, and picks ${ruleOf(given)}`, calls: ['s3:ListObjectVersions', 's3:GetObject of each version'] }),
  preflight: checkBucket,
  async run(given, ctx) {
    const object = await stateObject(given, ctx);
    const versions = await readVersions(given, object, ctx);
    const found = await chooseVersion(given, object, ctx);
    const { facts: chosen } = await readVersion(given, object, found, ctx);
    const asked = { version: given.version ?? null, at: given.before ?? null, found: { version: found.version, at: found.at, size: found.size }, sha256: null };
    await record({ bucket: given.bucket, key: object.key }, object.versions, asked, ctx);
    for (const { version, at, serial, resources } of versions) ctx.log(`${version} of ${at}: serial ${serial}, ${resources} resources${version === chosen.version ? ' (chosen)' : ''}`);
    return { current: versions[0] ?? chosen, chosen, versions };
  },
});
