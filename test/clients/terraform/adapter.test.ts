import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InfrastructurePort } from '../../../src/clients/terraform/port.js';
import { startAwsProxy } from '../../components/aws-proxy.js';
import { terraformOnMoto } from '../../components/terraform/index.js';
import { marked, signal, startRig, type Rig } from './rig.js';

const describe = await terraformOnMoto();

describe('terraform on moto', { timeout: 120_000 }, () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(() => rig.stop());

  test('plans, applies what was planned, and tells serial and resources; values stay where they are', async () => {
    await rig.infrastructure('shop');
    const { port } = rig;
    const plan = await port.plan('shop', {}, marked(), signal);
    expect(plan.facts).toMatchObject({ errored: false, counts: { create: 3, update: 0, replace: 0, destroy: 0 }, drift: [] });
    expect(await port.state('shop', signal)).toBeNull();
    await port.apply('shop', plan.sha256, 'modify', marked(), signal);
    expect(await port.state('shop', signal)).toMatchObject({ resources: ['terraform_data.app', 'terraform_data.certificate', 'terraform_data.network'] });
    expect(await port.outputs('shop', signal)).toEqual([{ name: 'password', sensitive: true }, { name: 'release', sensitive: false, value: '1' }]);
    const next = await port.plan('shop', { vars: { release: '2', password: 'c4n4ry-other' } }, marked(), signal);
    expect(next.facts.changes).toMatchObject([
      { address: 'terraform_data.app', action: 'replace' },
      { address: 'terraform_data.certificate', action: 'update', attributes: [{ name: 'input.release', sensitive: false }, { name: 'output', sensitive: false }] },
    ]);
    expect(JSON.stringify(next.facts)).not.toContain('c4n4ry');
    expect(next.facts.changes[0]?.attributes).toContainEqual({ name: 'input.password', sensitive: true });
  });

  test('leaves nothing in the folder of the code', async () => {
    const { directory } = await rig.infrastructure('clean');
    const plan = await rig.port.plan('clean', {}, marked(), signal);
    await rig.port.apply('clean', plan.sha256, 'modify', marked(), signal);
    expect(readdirSync(directory).toSorted()).toEqual(['.git', 'main.tf']);
  });

  test('refuses a plan that went stale, and one whose file was changed', async () => {
    await rig.infrastructure('stale');
    const { port, world } = rig;
    const [plan, other] = [await port.plan('stale', {}, marked(), signal), await port.plan('stale', { vars: { release: '2' } }, marked(), signal)];
    await port.apply('stale', plan.sha256, 'modify', marked(), signal);
    await expect(port.apply('stale', other.sha256, 'modify', marked(), signal)).rejects.toMatchObject({ code: 'plan-stale' });
    const next = await port.plan('stale', { vars: { release: '3' } }, marked(), signal);
    writeFileSync(join(String(world.connections.get('stale')?.details['work']), 'plans', `${next.sha256}.tfplan`), 'another plan');
    await expect(port.apply('stale', next.sha256, 'modify', marked(), signal)).rejects.toMatchObject({ code: 'plan-changed' });
  });

  for (const table of [undefined, 'locks']) {
    const name = table === undefined ? 'lockfile' : 'locktable';
    test(`names the owner of a lock that another holds, and leaves it (${name})`, async () => {
      await rig.infrastructure(name, table === undefined ? {} : { table });
      const { port } = rig;
      const plan = await port.plan(name, { vars: { release: 'slow' } }, marked(), signal);
      const holder = new AbortController();
      const applying = await begun(port, name, plan.sha256, marked().mark, holder.signal);
      const mine = marked();
      await expect(port.plan(name, {}, mine, signal)).rejects.toMatchObject({ code: 'state-locked', retryable: true, message: expect.stringMatching(/locked by \S+@\S+ since 2\d{3}-.*ID [0-9a-f-]{36}, OperationTypeApply/) as unknown });
      // Undoing what our own command left does not touch the other's lock.
      await port.release(name, mine.mark, signal);
      await expect(port.plan(name, {}, marked(), signal)).rejects.toMatchObject({ code: 'state-locked' });
      // A cancelled apply unlocks.
      holder.abort(new Error('cancelled'));
      await applying.end;
      await port.plan(name, {}, marked(), signal);
    });
  }

  for (const table of [undefined, 'locks']) {
    const name = table === undefined ? 'killed-lockfile' : 'killed-locktable';
    test(`removes the lock of a command of ours that was killed, and none but that (${name})`, async () => {
      await rig.infrastructure(name, table === undefined ? {} : { table });
      const { port } = rig;
      const plan = await port.plan(name, { vars: { release: 'slow' } }, marked(), signal);
      const { mark } = marked();
      const applying = await begun(port, name, plan.sha256, mark, signal);
      for (const pid of processesWith(`MUSTER_MARK=${mark}`)) process.kill(pid, 'SIGKILL');
      await applying.end;
      await expect(port.plan(name, {}, marked(), signal)).rejects.toMatchObject({ code: 'state-locked' });
      await port.release(name, 'another-mark', signal);
      await expect(port.plan(name, {}, marked(), signal)).rejects.toMatchObject({ code: 'state-locked' });
      await port.release(name, mark, signal);
      await port.plan(name, {}, marked(), signal);
      // Twice is once.
      await port.release(name, mark, signal);
    });
  }

  test('goes on where the answer to its lock is lost, and the backend then tells it of its own', async () => {
    const direct = process.env['AWS_ENDPOINT_URL_DYNAMODB'];
    const proxy = await startAwsProxy(rig.store.moto.endpoint);
    process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint;
    try {
      await rig.infrastructure('lost-answer', { table: 'locks' });
      const { port } = rig;
      let lost = 0;
      const loseOne = () => {
        let over = false;
        proxy.meddle(async ({ target }, answer) => {
          if (over || !target.endsWith('.PutItem')) return undefined;
          over = true;
          lost += 1;
          await answer();
          return { status: 503, type: 'application/x-amz-json-1.0', body: '{"__type":"ServiceUnavailable"}' };
        });
      };
      loseOne();
      const plan = await port.plan('lost-answer', {}, marked(), signal);
      loseOne();
      await port.apply('lost-answer', plan.sha256, 'modify', marked(), signal);
      expect(lost).toBe(2);
      expect(await port.state('lost-answer', signal)).toMatchObject({ resources: expect.arrayContaining(['terraform_data.app']) as unknown });
      // Nothing is left locked.
      await port.plan('lost-answer', {}, marked(), signal);
    } finally {
      process.env['AWS_ENDPOINT_URL_DYNAMODB'] = direct;
      await proxy.stop();
    }
  });

  test('looks at production without its lock', async () => {
    await rig.infrastructure('live', {}, {}, 'production');
    const { port } = rig;
    const mark = marked();
    const plan = await port.plan('live', {}, mark, signal);
    expect(plan.facts.counts.create).toBe(3);
    expect(readFileSync(join(String(rig.world.connections.get('live')?.details['work']), `${mark.mark}.log`), 'utf8')).not.toMatch(/lock remote state/i);
  });
});

/** An apply that holds its lock and works; `end` resolves when it has failed. Throws why it ended before. */
async function begun(port: InfrastructurePort, name: string, plan: string, mark: string, until: AbortSignal): Promise<{ readonly end: Promise<unknown> }> {
  return new Promise((resolve, reject) => {
    const end = port.apply(name, plan, 'modify', { mark, onProgress: ({ kind }) => void (kind === 'started' && resolve({ end })) }, until).catch((error: unknown) => (reject(error), error));
  });
}

function processesWith(variable: string): number[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(variable);
    } catch {
      return false;
    }
  }).map(Number);
}
