import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { ConnectionName, strict } from '../../engine/schema.js';
import { bucketRights } from './lib/rights.js';

export const step = defineStep({
  type: 's3.bootstrap',
  summary: 'Makes the bucket that is to hold states, if it does not exist: versioned, encrypted, closed to the public, and tagged with the run. The drill removes what it made.',
  input: Type.Object({ bucket: ConnectionName('bucket', 'The bucket; its connection says bootstrap: true') }, strict),
  output: Type.Object({ bucket: Type.String(), made: Type.Boolean({ description: 'It did not exist' }) }, strict),
  effect: 'create',
  changes: (given) => [{ system: `bucket:${inWords(membersOf(given).bucket)}`, object: '*' }],
  permissions: (given) => bucketRights(membersOf(given).bucket, ['CreateBucket', 'PutBucketTagging', 'PutBucketVersioning', 'PutEncryptionConfiguration', 'PutBucketPublicAccessBlock', 'GetBucketTagging', 'ListBucket', 'ListBucketVersions', 'DeleteObject', 'DeleteObjectVersion', 'DeleteBucket']),
  evidence: [],
  examples: [{ title: 'The state bucket of a rebuild', with: { bucket: 'state' } }],
  cleanups: {
    remove: {
      summary: 'Removes the bucket with every version in it, if the tag says that this run made it',
      timeoutMs: 1_800_000,
      async run(data, _identity, ctx) {
        if (typeof data['bucket'] !== 'string') throw new StepError('bad-cleanup', 'the cleanup does not say which bucket');
        await ctx.ports.s3.remove(data['bucket']);
      },
    },
  },
  repeatable: true,
  plan: (given) => ({
    does: `Makes the bucket of ${inWords(membersOf(given).bucket)}, if it does not exist`,
    calls: ['s3:HeadBucket', 's3:CreateBucket', 's3:PutBucketTagging', 's3:PutBucketVersioning', 's3:PutBucketEncryption', 's3:PutPublicAccessBlock'],
    undo: ['removes the bucket with every version in it, if this run made it'],
  }),
  async run({ bucket: connection }, ctx) {
    const { s3 } = ctx.ports;
    const { bucket } = s3.bucket(connection);
    if (await s3.exists(connection)) {
      if ((await s3.versioning(connection)) !== 'enabled') throw new StepError('not-versioned', `s3://${bucket} keeps no versions: no state in it could be rolled back`, { hint: 'Turn versioning on, outside of the drill.' });
      return { bucket, made: false };
    }
    await ctx.defer({ uses: 's3.bootstrap/remove', with: { bucket: connection } });
    await s3.make(connection);
    return { bucket, made: true };
  },
});
