import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { step as apply } from '../../../src/steps/terragrunt/apply.js';
import { step as plan } from '../../../src/steps/terragrunt/plan.js';
import { startAwsProxy, type AwsProxy } from '../../components/aws-proxy.js';
import { requireComponents } from '../../components/index.js';
import { motoComponent } from '../../components/moto.js';
import { terraformComponent } from '../../components/terraform/index.js';
import { toldOf } from '../lib/context.js';
import { small, startStack, type Stack } from './rig.js';

vi.setConfig({ testTimeout: 240_000 });
const suite = await requireComponents(terraformComponent, motoComponent);

const keyOf = (unit: string) => `estate/${unit}/terraform.tfstate.tflock`;
const asked = /^\/states\/estate\/(\w+)\/terraform\.tfstate\.tflock$/;

suite('the answer to a state lock is lost, and the backend then tells Terraform of its own', () => {
  let stack: Stack;
  let proxy: AwsProxy;
  beforeEach(async () => {
    stack = await startStack({ without: small });
    proxy = await startAwsProxy(stack.store.moto.endpoint);
    process.env['AWS_ENDPOINT_URL_S3'] = proxy.endpoint;
  });
  afterEach(async () => {
    await stack.stop();
    await proxy.stop();
  });

  /** From now on: once, and only for `unit`. `locks`: what was asked to be locked, by unit, as it was sent. */
  const lose = (unit?: string): { readonly locks: Map<string, string[]>; readonly lost: () => boolean } => {
    const locks = new Map<string, string[]>();
    let over = false;
    proxy.meddle(async ({ method, path, body }, answer) => {
      const name = method === 'PUT' ? asked.exec(path)?.[1] : undefined;
      if (name === undefined) return undefined;
      locks.set(name, [...(locks.get(name) ?? []), body]);
      if (over || name !== unit) return undefined;
      over = true;
      await answer();
      return { status: 503, body: '<Error><Code>ServiceUnavailable</Code></Error>' };
    });
    return { locks, lost: () => over };
  };
  const lockKeys = async (): Promise<string[]> => ((await stack.store.s3.send(new ListObjectsV2Command({ Bucket: 'states' }))).Contents ?? []).map(({ Key = '' }) => Key).filter((key) => key.endsWith('.tflock'));
  const put = (unit: string, lock: string) => stack.store.s3.send(new PutObjectCommand({ Bucket: 'states', Key: keyOf(unit), Body: lock }));
  const lockOf = async (unit: string) => (await stack.store.s3.send(new GetObjectCommand({ Bucket: 'states', Key: keyOf(unit) }))).Body?.transformToString();
  const fates = () => Object.fromEntries((toldOf(stack, 'unit finished') as { unit: string; result: string; reason: string | null }[]).map(({ unit, result, reason }) => [unit, [result, reason]]));
  const clean = ['succeeded', null];

  test('the unit goes on, with what waited for it; no other is run twice', async () => {
    const planning = lose('network');
    const { plan: id, create } = await stack.run(plan, {});
    expect(planning.lost()).toBe(true);
    expect(create).toBe(9);
    expect(fates()).toEqual({ keys: clean, network: clean, cluster: clean });
    expect([planning.locks.get('keys')?.length, planning.locks.get('cluster')?.length]).toEqual([1, 1]);
    expect(await lockKeys()).toEqual([]);

    const applying = lose('keys');
    await stack.run(apply, { plan: id });
    expect(applying.lost()).toBe(true);
    expect(fates()).toEqual({ keys: clean, network: clean, cluster: clean });
    expect(applying.locks.get('network')?.length).toBe(1);
    expect(await lockKeys()).toEqual([]);

    // Everything goes against the order of the dependencies: keys and network wait for the cluster.
    const [removal] = toldOf(stack, 'defer') as { uses: string; with: Record<string, unknown> }[];
    const removing = lose('cluster');
    if (removal !== undefined) await stack.cleanUp(apply, removal);
    expect(removing.lost()).toBe(true);
    for (const unit of ['network', 'keys', 'cluster']) expect(await stack.holds(unit)).toEqual([]);
    expect(await lockKeys()).toEqual([]);
  });

  test('the lock of somebody else on another unit stays, and is told; what hangs on that unit is not begun', async () => {
    const theirs = JSON.stringify({ ID: '6f1f0e7c-0000-4000-8000-00000000cafe', Operation: 'OperationTypeApply', Info: '', Who: 'mallory@elsewhere', Version: '1.11.4', Created: '2026-01-01T00:00:00Z', Path: 'states/estate/network/terraform.tfstate' });
    await put('network', theirs);
    const { locks, lost } = lose('keys');
    await expect(stack.run(plan, {})).rejects.toMatchObject({ code: 'state-locked', message: expect.stringMatching(/^plan of unit network: .*mallory@elsewhere.*; not begun \(early exit\): cluster$/s) as string });
    expect(lost()).toBe(true);
    expect(locks.has('cluster')).toBe(false);
    expect(await lockKeys()).toEqual([keyOf('network')]);
    expect(await lockOf('network')).toBe(theirs);
  });

  test('a lock that another command of this run has made stays, and is told', async () => {
    const { locks } = lose();
    await stack.run(plan, {});
    const [earlier = ''] = locks.get('network') ?? [];
    await put('network', earlier);
    await expect(stack.run(plan, {})).rejects.toMatchObject({ code: 'state-locked', message: expect.stringContaining((JSON.parse(earlier) as { ID: string }).ID) as string });
    expect(await lockKeys()).toEqual([keyOf('network')]);
    expect(await lockOf('network')).toBe(earlier);
  });
});
