import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { muster, removeFolders, root, scratch } from '../drills/harness.js';

let folder: string;
beforeAll(async () => {
  folder = await scratch();
  const bucket = (more: object) => ({ kind: 'bucket', role: 'source', provision: 's3-bucket', with: { bucket: 'states', region: 'eu-central-1', ...more } });
  const infrastructure = { kind: 'infrastructure', role: 'source', provision: 'terraform', with: { directory: 'code', mayDestroy: ['terraform_data.app'] } };
  const environment = (name: string, connections: object) => writeFile(join(folder, `${name}.yaml`), stringify({ apiVersion: 'muster/v1', kind: 'Environment', metadata: { name }, connections, boundary: { commands: ['terraform', 'terragrunt', 'sh'], buckets: ['states/shop'] }, runbooks: 'any' }));
  await environment('rollback', { infra: infrastructure, states: bucket({ prefix: 'shop' }) });
  await environment('rebuild', { stack: { ...infrastructure, provision: 'terragrunt', with: { directory: 'code' } }, state: bucket({ bootstrap: true }) });
});
afterAll(removeFolders);

const policyOf = async (runbook: string, environment: string, connection: string) => {
  const { code, stdout, stderr } = await muster(folder, ['permissions', join(root, `runbooks/${runbook}.yaml`), '--env', `${environment}.yaml`, '--only', connection]);
  expect(code, stderr).toBe(0);
  return (JSON.parse(stdout) as { readonly Statement: readonly { readonly Action: readonly string[]; readonly Resource: readonly string[]; readonly Condition?: object }[] }).Statement.map(({ Action, Resource, Condition }) => [Resource[0], Action, Condition]);
};

it('a drill that reads versions of a state may read what lies below the prefix of its bucket, and no more', async () => {
  expect(await policyOf('terraform-state-rollback', 'rollback', 'states')).toEqual([
    ['arn:aws:s3:::states', ['s3:GetBucketVersioning', 's3:ListBucketVersions'], undefined],
    ['arn:aws:s3:::states/shop/*', ['s3:GetObject', 's3:GetObjectVersion'], undefined],
  ]);
});

it('a drill that makes the bucket of its states may make that one, and empty and delete it', async () => {
  const [whole, objects, ...more] = await policyOf('terragrunt-rebuild', 'rebuild', 'state');
  expect(whole?.[0]).toBe('arn:aws:s3:::states');
  expect(whole?.[1]).toEqual(expect.arrayContaining(['s3:CreateBucket', 's3:DeleteBucket', 's3:PutBucketVersioning', 's3:ListBucket']));
  expect(objects).toEqual(['arn:aws:s3:::states/*', ['s3:DeleteObject', 's3:DeleteObjectVersion'], undefined]);
  expect(more).toEqual([]);
});
