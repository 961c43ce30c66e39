import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, expect, test, vi } from 'vitest';
import { processesWith } from '../../../src/clients/process/identity.js';
import { step as apply } from '../../../src/steps/terragrunt/apply.js';
import { step as destroy } from '../../../src/steps/terragrunt/destroy.js';
import { step as plan } from '../../../src/steps/terragrunt/plan.js';
import { requireComponents } from '../../components/index.js';
import { motoComponent } from '../../components/moto.js';
import { terraformComponent } from '../../components/terraform/index.js';
import { toldOf } from '../lib/context.js';
import { small, startStack, type Stack, type StackOptions } from './rig.js';

vi.setConfig({ testTimeout: 240_000 });
const suite = await requireComponents(terraformComponent, motoComponent);
const network = [...small, 'keys', 'cluster'];

suite('state locks and what is left', () => {
  let stack: Stack | undefined;
  afterEach(async () => {
    await stack?.stop();
    stack = undefined;
  });
  const start = async (options?: StackOptions): Promise<Stack> => (stack = await startStack(options));
  const slow = (code: string): void => {
    const file = join(code, 'modules/part/main.tf');
    writeFileSync(file, readFileSync(file, 'utf8').replace('sleep ${var.seconds}', 'sleep 30'));
  };
  const lockKeys = async ({ store }: Stack): Promise<string[]> => ((await store.s3.send(new ListObjectsV2Command({ Bucket: 'states' }))).Contents ?? []).map(({ Key = '' }) => Key).filter((key) => key.endsWith('.tflock'));
  const processesOf = ({ store }: Stack): Promise<readonly number[]> => processesWith([`AWS_ENDPOINT_URL_S3=${store.moto.endpoint}`, 'MUSTER_RUN=run-1']);
  const building = ({ store }: Stack): Promise<readonly number[]> => processesWith([`AWS_ENDPOINT_URL_S3=${store.moto.endpoint}`, 'TF_VAR_name=network']);
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
  };

  test('a lock that somebody holds is told with its owner, and stays', async () => {
    const on = await start({ without: network });
    const { plan: id } = await on.run(plan, {});
    const key = 'estate/network/terraform.tfstate.tflock';
    const theirs = JSON.stringify({ ID: '6f1f0e7c-0000-4000-8000-00000000cafe', Operation: 'OperationTypeApply', Info: '', Who: 'mallory@elsewhere', Version: '1.11.4', Created: '2026-01-01T00:00:00Z', Path: `states/${key.replace('.tflock', '')}` });
    await on.store.s3.send(new PutObjectCommand({ Bucket: 'states', Key: key, Body: theirs }));
    await expect(on.run(apply, { plan: id })).rejects.toMatchObject({ code: 'state-locked', message: expect.stringContaining('mallory@elsewhere') as string });
    const [removal] = toldOf(on, 'defer') as { uses: string; with: Record<string, unknown> }[];
    if (removal !== undefined) await on.cleanUp(apply, removal);
    await expect(on.run(plan, {})).rejects.toMatchObject({ code: 'state-locked' });
    expect(await (await on.store.s3.send(new GetObjectCommand({ Bucket: 'states', Key: key }))).Body?.transformToString()).toBe(theirs);
  });

  test('cancelled while units are built: the whole tree ends gently, and no lock stays', async () => {
    const on = await start({ without: network, edit: slow });
    const { plan: id } = await on.run(plan, {});
    const controller = new AbortController();
    const applying = on.run(apply, { plan: id }, controller.signal);
    const ended = expect(applying).rejects.toThrow();
    await until(async () => (await lockKeys(on)).length > 0 && (await building(on)).length > 0);
    controller.abort(new Error('cancelled by the operator'));
    await ended;
    expect(await lockKeys(on)).toEqual([]);
    expect(await processesOf(on)).toEqual([]);
  });

  test('killed while units are built: the cleanup removes the lock that our own command announced, and everything that was built', async () => {
    const on = await start({ without: network, edit: slow });
    const { plan: id } = await on.run(plan, {});
    const applying = on.run(apply, { plan: id });
    const ended = expect(applying).rejects.toThrow();
    await until(async () => (await lockKeys(on)).length > 0 && (await building(on)).length > 0);
    for (const pid of await processesOf(on)) process.kill(pid, 'SIGKILL');
    await ended;
    expect(await lockKeys(on)).toEqual(['estate/network/terraform.tfstate.tflock']);
    const [removal] = toldOf(on, 'defer') as { uses: string; with: Record<string, unknown> }[];
    expect(removal?.uses).toBe('terragrunt.apply/remove');
    if (removal !== undefined) await on.cleanUp(apply, removal);
    expect(await lockKeys(on)).toEqual([]);
    expect(await on.holds('network')).toEqual([]);
  });

  test('a destroy that leaves something behind fails with its address', async () => {
    const on = await start({ without: network.filter((unit) => unit !== 'keys'), edit: (code) => appendFileSync(join(code, 'keys/terragrunt.hcl'), '\nexclude {\n  if      = get_env("SPARE_KEYS", "") == "yes"\n  actions = ["plan"]\n}\n') });
    const { plan: id } = await on.run(plan, {});
    await on.run(apply, { plan: id });
    const sparing = await on.run(plan, { destroy: true, env: { SPARE_KEYS: 'yes' } });
    await expect(on.run(destroy, { plan: sparing['plan'] })).rejects.toMatchObject({ code: 'resources-left', message: expect.stringContaining('keys terraform_data.part') as string });
    expect(on.evidence('infrastructure-state').at(-1)?.units).toContainEqual(expect.objectContaining({ unit: 'keys', resources: 2 }));
  });
});
