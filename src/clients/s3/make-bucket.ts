import type * as sdkTypes from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { StepError } from '../../engine/errors.js';
import { runTag } from '../../engine/mark.js';
import { awsCodeOf } from '../aws/errors.js';

type Sdk = typeof sdkTypes;


export async function bucketExists(client: S3Client, { HeadBucketCommand }: Sdk, Bucket: string, abortSignal: AbortSignal): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket }), { abortSignal });
    return true;
  } catch (error) {
    if (['NotFound', 'NoSuchBucket', '404'].includes(awsCodeOf(error))) return false;
    throw error;
  }
}

/** As a state bucket has to be: tagged with the run, versioned, encrypted, and closed to the public. The tag comes first. */
export async function makeBucket(client: S3Client, sdk: Sdk, where: { readonly bucket: string; readonly region: string }, run: string, abortSignal: AbortSignal): Promise<void> {
  const Bucket = where.bucket;
  const send = { abortSignal };
  const location = where.region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: where.region as sdkTypes.BucketLocationConstraint } };
  await client.send(new sdk.CreateBucketCommand({ Bucket, ...location }), send);
  await client.send(new sdk.PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: [{ Key: runTag, Value: run }] } }), send);
  await client.send(new sdk.PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }), send);
  await client.send(new sdk.PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] } }), send);
  await client.send(new sdk.PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: { BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true } }), send);
}

/**
 * Removes a bucket of this run with everything in it. One without any tag is removed only while it is empty: a crash came between its
 * creation and its tag. Throws StepError `not-our-bucket` for one that another run, or nobody's, tag stands on.
 */
export async function removeBucket(client: S3Client, sdk: Sdk, Bucket: string, run: string, abortSignal: AbortSignal): Promise<void> {
  const send = { abortSignal };
  if (!(await bucketExists(client, sdk, Bucket, abortSignal))) return;
  const tags = await tagsOf(client, sdk, Bucket, abortSignal);
  const own = tags.find(({ Key }) => Key === runTag)?.Value;
  if (own !== run && tags.length > 0) throw new StepError('not-our-bucket', `the bucket ${Bucket} ${own === undefined ? `bears no tag ${runTag}` : `belongs to run ${own}`}: it is left as it is`);
  if (own === run) await empty(client, sdk, Bucket, abortSignal);
  await client.send(new sdk.DeleteBucketCommand({ Bucket }), send);
}

async function tagsOf(client: S3Client, { GetBucketTaggingCommand }: Sdk, Bucket: string, abortSignal: AbortSignal): Promise<readonly sdkTypes.Tag[]> {
  try {
    return (await client.send(new GetBucketTaggingCommand({ Bucket }), { abortSignal })).TagSet ?? [];
  } catch (error) {
    if (awsCodeOf(error) === 'NoSuchTagSet') return [];
    throw error;
  }
}

/** Every version and every delete marker. */
async function empty(client: S3Client, { ListObjectVersionsCommand, DeleteObjectsCommand }: Sdk, Bucket: string, abortSignal: AbortSignal): Promise<void> {
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1000 }), { abortSignal });
    const Objects = [...Versions, ...DeleteMarkers].slice(0, 1000).map(({ Key = '', VersionId }) => ({ Key, ...(VersionId === undefined ? {} : { VersionId }) }));
    if (Objects.length === 0) return;
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }), { abortSignal });
    const [first] = Errors;
    if (first !== undefined) throw new StepError('bucket-not-emptied', `${Errors.length} object(s) of ${Bucket} could not be removed: ${first.Key ?? '?'}: ${first.Message ?? first.Code ?? '?'}`);
  }
}
