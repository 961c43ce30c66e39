import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DeleteObjectCommand, GetObjectCommand, NoSuchKey, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commit } from '../components/terraform/code.js';
import { terraformOnMoto } from '../components/terraform/index.js';
import { after, before, begin, drill, muster, processesOf, removeFolders, runsIn, scratch } from './harness.js';
import { pause, resume, startInfrastructure, type Infrastructure } from './terraform-rig.js';

const describe = await terraformOnMoto();

describe('a Terraform state is rolled back', () => {
  let infrastructure: Infrastructure;
  beforeAll(async () => {
    infrastructure = await startInfrastructure();
  });
  afterAll(async () => {
    await infrastructure.stop();
    await removeFolders();
  });

  test('passes: rolled back, what differs is shown, put right, and everything is gone again', async () => {
    const judged = await drill(infrastructure.drill());
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill).toMatchObject({ verdict: 'passed', rto: { status: 'met' }, rpo: { status: 'met', basis: 'code', valueMs: 0 } });
    const [good, bad, , differs] = judged.evidence('infrastructure-plan');
    expect([good, bad, differs].map((plan) => plan?.units[0])).toMatchObject([{ create: 3, gone: [] }, { replace: 1, gone: ['terraform_data.app'] }, { replace: 1, update: 1, gone: ['terraform_data.app'] }]);
    expect(judged.evidence('drift')).toMatchObject([{ units: [{ exitCode: 0 }] }]);
    // What the run built where nothing was goes with it, and the application with that.
    expect(existsSync(join(judged.folder, 'running'))).toBe(false);
    expect(JSON.parse(await infrastructure.byHand(judged.folder, 'state', 'pull'))).toMatchObject({ resources: [] });
    expect(judged.of('watch.ended')).toMatchObject([{ data: { watcher: 'terraform', checks: 2 } }]);
    expect(readFileSync(join(judged.bundle, 'data/events.jsonl'), 'utf8')).not.toContain('c4n4ry');
  });

  test('with the lock in a DynamoDB table', async () => {
    const judged = await drill(infrastructure.drill({ table: 'locks' }));
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
  });

  test('fails by name where code was edited and not committed, during the drill too, and where a hand set an input', async () => {
    const judged = await drill(infrastructure.drill({
      code(folder) {
        appendFileSync(join(folder, 'main.tf'), '\n# by hand\n');
        writeFileSync(join(folder, '.gitignore'), '*.auto.tfvars\n');
        commit(folder, 'Ignore values');
        appendFileSync(join(folder, 'main.tf'), '# by hand again\n');
        writeFileSync(join(folder, 'local.auto.tfvars'), 'release = "1.4.2"\n');
      },
      env: { TF_VAR_release: 'c4n4ry' },
    }));
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.why('undocumented-change')).toContain('infra: file main.tf: changed, at the start');
    expect(judged.why('undocumented-change')).toContain('infra: file local.auto.tfvars: an undocumented input: not in git, and it sets release');
    expect(judged.why('undocumented-change')).toContain('infra: variable TF_VAR_release: an undocumented input');
    expect(judged.codes).toContain('rpo-not-measured');
    expect(readFileSync(join(judged.bundle, 'data/events.jsonl'), 'utf8')).not.toContain('c4n4ry');
  });

  test('fails by name where somebody else writes the state, and where what was rebuilt is changed by hand', async () => {
    const judged = await drill(infrastructure.drill({
      runbook: (runbook) => after(runbook, 'reconcile', pause),
      async beside(live) {
        await live.until((event) => event.type === 'step.started' && event.step === 'pause');
        await infrastructure.byHand(dirname(live.state), 'state', 'rm', 'terraform_data.network');
        await resume(dirname(live.state));
      },
    }));
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.why('undocumented-change')).toMatch(/terraform: infra: state: written by somebody else: serial \d+ is not of this run/);
    expect(judged.why('undocumented-change')).toContain('infrastructure:infra: .: terraform_data.network (create) is not as its code says');
  });

  test('a state lock that somebody holds is told with its owner, and left', async () => {
    const options = infrastructure.drill({
      runbook: (runbook) => before(runbook, 'rollback', pause),
      async beside(live) {
        await live.until((event) => event.type === 'step.started' && event.step === 'pause');
        await infrastructure.store.s3.send(new PutObjectCommand({ Bucket: 'states', Key: `${options.key}.tflock`, Body: JSON.stringify(foreign) }));
        await resume(dirname(live.state));
        await live.until((event) => event.type === 'step.finished' && event.step === 'rollback');
        expect(await lockOf(options.key)).toEqual(foreign);
        await infrastructure.store.s3.send(new DeleteObjectCommand({ Bucket: 'states', Key: `${options.key}.tflock` }));
      },
    });
    const judged = await drill(options);
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.why('step-failed')).toContain(`the state is locked by mallory@elsewhere since 2026-01-31 09:00:00 +0000 UTC (ID ${foreign.ID}, OperationTypeApply`);
  });

  test('killed during an apply, then cleaned up: the lock goes with its owner, and nothing is left', async () => {
    const folder = await scratch();
    const options = infrastructure.drill();
    const [runbook, environment] = (await options.documents?.(folder)) ?? [];
    const { live, ended } = begin(folder, ['run', runbook ?? '', '--env', environment ?? '', '--evidence-dir', join(folder, 'evidence'), '--set', 'bad=slow'], { env: options.env ?? {} });
    await live.until((event) => event.type === 'unit.running' && event.step === 'bad');
    while ((await lockOf(options.key)) === null) await new Promise((resolve) => setTimeout(resolve, 50));
    live.child.kill('SIGKILL');
    await ended;
    const [runId = ''] = runsIn(live.state);
    expect(processesOf(runId)).not.toEqual([]);
    expect(await lockOf(options.key)).not.toBeNull();
    const cleaned = await muster(folder, ['cleanup', runId], { env: options.env ?? {} });
    expect(cleaned.code, cleaned.stdout + cleaned.stderr).toBe(0);
    expect(processesOf(runId)).toEqual([]);
    expect(await lockOf(options.key)).toBeNull();
    expect(runsIn(live.state)).toEqual([]);
    expect(existsSync(join(folder, 'running'))).toBe(false);
    expect(JSON.parse(await infrastructure.byHand(folder, 'state', 'pull'))).toMatchObject({ resources: [] });
  });

  test('cancelled during an apply: no lock stays, and nothing else', async () => {
    const options = infrastructure.drill({
      set: { bad: 'slow' },
      async beside(live) {
        await live.until((event) => event.type === 'unit.running' && event.step === 'bad');
        while ((await lockOf(options.key)) === null) await new Promise((resolve) => setTimeout(resolve, 50));
        live.child.kill('SIGINT');
      },
    });
    const judged = await drill(options);
    expect(judged.drill.verdict).toBe('cancelled');
    expect(await lockOf(options.key)).toBeNull();
    expect(JSON.parse(await infrastructure.byHand(judged.folder, 'state', 'pull'))).toMatchObject({ resources: [] });
  });

  const foreign = { ID: '00000000-1111-2222-3333-444444444444', Operation: 'OperationTypeApply', Info: '', Who: 'mallory@elsewhere', Version: '1.9.0', Created: '2026-01-31T09:00:00Z', Path: 'states/x' };

  async function lockOf(key: string): Promise<unknown> {
    try {
      const { Body } = await infrastructure.store.s3.send(new GetObjectCommand({ Bucket: 'states', Key: `${key}.tflock` }));
      return JSON.parse((await Body?.transformToString()) ?? 'null');
    } catch (error) {
      if (error instanceof NoSuchKey) return null;
      throw error;
    }
  }
});
