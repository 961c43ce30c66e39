import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { startMoto, type Moto } from '../moto.js';

/** moto with a versioned bucket `states` and a lock table `locks`. */
export interface StateStore {
  readonly moto: Moto;
  /** Variables by which Terraform and the SDK find it. */
  readonly env: Readonly<Record<string, string>>;
  readonly s3: S3Client;
  stop(): Promise<void>;
}

export async function startStateStore(): Promise<StateStore> {
  const moto = await startMoto();
  const { endpoint } = moto;
  const env = { ...moto.env, AWS_ENDPOINT_URL_STS: endpoint, AWS_ENDPOINT_URL_IAM: endpoint, AWS_ENDPOINT_URL_DYNAMODB: endpoint };
  const options = { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  const dynamo = new DynamoDBClient(options);
  await s3.send(new CreateBucketCommand({ Bucket: 'states', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
  await s3.send(new PutBucketVersioningCommand({ Bucket: 'states', VersioningConfiguration: { Status: 'Enabled' } }));
  await dynamo.send(new CreateTableCommand({ TableName: 'locks', BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName: 'LockID', KeyType: 'HASH' }], AttributeDefinitions: [{ AttributeName: 'LockID', AttributeType: 'S' }] }));
  return {
    moto,
    env,
    s3,
    async stop() {
      s3.destroy();
      dynamo.destroy();
      await moto.stop();
    },
  };
}

/** Terraform as somebody else runs it by hand in `folder`, with a data directory of their own. */
export async function byHand(folder: string, dataDir: string, env: Readonly<Record<string, string>>, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('terraform', args, { cwd: folder, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TF_DATA_DIR: dataDir, TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1', ...env }, maxBuffer: 1 << 26 });
  return stdout;
}
