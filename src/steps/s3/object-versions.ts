import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { nullable, strict } from '../../engine/schema.js';
import { checkVersioning, noChanges, objectInput, place, readingRights, record, versionOutput } from './lib/object.js';

export const step = defineStep({
  type: 's3.object-versions',
  summary: 'Lists the versions and delete markers of an object.',
  input: Type.Object({ ...objectInput, atLeast: Type.Optional(Type.Integer({ minimum: 0, default: 1, description: 'How many versions there must be, without delete markers' })) }, strict),
  output: Type.Object(
    {
      versions: Type.Integer(),
      deleteMarkers: Type.Integer(),
      latest: nullable(Type.Object({ ...versionOutput, deleteMarker: Type.Boolean() }, { ...strict, description: 'What counts now' })),
      previous: nullable(Type.Object(versionOutput, { ...strict, description: 'The version before it' })),
    },
    strict,
  ),
  effect: 'read',
  changes: noChanges,
  permissions: readingRights('ListBucketVersions', 'GetBucketVersioning'),
  evidence: ['object-versions'],
  examples: [{ title: 'A state must have something to go back to', with: { bucket: 'states', key: 'shop/terraform.tfstate', atLeast: 2 } }],
  plan: (given) => ({ does: `Lists the versions of ${place(given)}`, calls: [`s3:ListObjectVersions ${place(given)}`] }),
  preflight: checkVersioning,
  async run(given, ctx) {
    const versions = await ctx.ports.s3.versions(given.bucket, given.key);
    await record(given, versions, null, ctx);
    const kept = versions.filter(({ deleteMarker }) => !deleteMarker);
    const { atLeast = 1 } = given;
    if (kept.length < atLeast) throw new StepError('too-few-versions', `${given.key} in ${given.bucket} has ${kept.length} version(s), expected at least ${atLeast}`);
    const [latest] = versions;
    const previous = kept.find(({ version }) => version !== latest?.version);
    return {
      versions: kept.length,
      deleteMarkers: versions.length - kept.length,
      latest: latest === undefined ? null : { version: latest.version, at: latest.at, size: latest.size, deleteMarker: latest.deleteMarker },
      previous: previous === undefined ? null : { version: previous.version, at: previous.at, size: previous.size },
    };
  },
});
