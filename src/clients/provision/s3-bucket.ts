import { Type, type Static } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import type { BucketDetails } from '../s3/details.js';

const input = Type.Object(
  {
    bucket: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' }),
    region: Type.Optional(Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-\\d$', description: 'Default: AWS_REGION' })),
    profile: Type.Optional(Type.String({ minLength: 1, description: 'Profile of the AWS configuration; default: AWS_PROFILE and the rest of the usual chain' })),
    bootstrap: Type.Optional(Type.Boolean({ default: false, description: 'It need not be there yet: the step s3.bootstrap makes it, and the drill takes it down again' })),
    prefix: Type.Optional(Type.String({ pattern: '^[^/].*[^/]$', description: 'Where the keys of this connection start; default: all of the bucket' })),
  },
  strict,
);

export const provisioner = defineProvisioner({
  type: 's3-bucket',
  kinds: ['bucket'],
  summary: 'An S3 bucket that is there already, or a prefix in it. Credentials and endpoint come from the usual AWS variables and files.',
  input,
  permissions: ({ bootstrap = false }) => ['GetBucketVersioning', ...(bootstrap ? ['ListBucket'] : [])].map((action) => ({ system: 'aws', action: `s3:${action}`, resource: 'bucket' })),
  plan: ({ bucket, prefix }) => ({ does: `Reads s3://${bucket}${prefix === undefined ? '' : `/${prefix}`}`, calls: ['s3:GetBucketVersioning'] }),
  existing: (given) => Promise.resolve({ ...detailsOf(given) }),
  async preflight({ bucket, bootstrap = false }, ctx) {
    if (bootstrap && !(await ctx.ports.s3.exists(ctx.connection))) return [{ id: 'reachable', result: 'passed', detail: `s3://${bucket} does not exist yet; s3.bootstrap is to make it` }];
    const versioning = await ctx.ports.s3.versioning(ctx.connection);
    return [{ id: 'reachable', result: 'passed', detail: `s3://${bucket}; versioning ${versioning}` }];
  },
  provision: (given) => Promise.resolve({ ...detailsOf(given) }),
});

function detailsOf({ bucket, region, profile, prefix = '' }: Static<typeof input>): BucketDetails {
  const chosen = region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'];
  if (chosen === undefined || chosen === '') throw new StepError('no-region', `nothing says which region the bucket ${bucket} is in`, { hint: 'Give `region`, or set AWS_REGION.' });
  return { bucket, region: chosen, prefix, ...(profile === undefined ? {} : { profile }) };
}
