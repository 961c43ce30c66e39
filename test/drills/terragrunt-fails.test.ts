import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Runbook } from '../../src/engine/documents.js';
import { requireComponents } from '../components/index.js';
import { motoComponent } from '../components/moto.js';
import { terraformComponent } from '../components/terraform/index.js';
import { terragrunt } from '../components/terragrunt.js';
import { after, drill, expectNothingLeft, judge, muster, remove, removeFolders, run, runsIn } from './harness.js';
import { bucket, bucketsOf, startEstate, type Estate } from './terragrunt-rig.js';

const suite = await requireComponents(terraformComponent, motoComponent);

/** Network, keys and cluster only, without the services on it. */
function small(runbook: Runbook): void {
  remove(runbook, 'plan-cnpg', 'cnpg', 'plan-database', 'database', 'plan-application', 'application');
}
const smallCode = (folder: string): void => {
  for (const unit of ['dns', 'nodes', 'cache', 'queue', 'ingress', 'services']) rmSync(join(folder, unit), { recursive: true });
};
const slowCluster = (folder: string): void => {
  smallCode(folder);
  const file = join(folder, 'cluster/terragrunt.hcl');
  writeFileSync(file, readFileSync(file, 'utf8').replace('seconds = 1', 'seconds = 60'));
};

suite('a rebuild that does not pass', () => {
  let estate: Estate;
  beforeAll(async () => {
    estate = await startEstate();
  });
  afterEach(() => estate.moto.reset());
  afterAll(async () => {
    await estate.stop();
    await removeFolders();
  });

  test('somebody changes what was rebuilt by hand: the drill fails by the address of the change, and still takes everything down', async () => {
    const { program } = await terragrunt();
    const byHand = join(tmpdir(), `muster-by-hand-${process.pid}`);
    const judged = await drill(
      estate.drill({
        code: smallCode,
        runbook(runbook) {
          small(runbook);
          // Nothing declares it, as nothing declares what a colleague does.
          after(runbook, 'build', {
            id: 'colleague',
            phase: 'restore',
            uses: 'exec',
            with: {
              argv: [program, 'run', '--non-interactive', '--download-dir', byHand, '--', 'apply', '-auto-approve', '-input=false'],
              cwd: 'estate/network',
              env: { STATE_BUCKET: bucket, TF_VAR_size: '4', AWS_ENDPOINT_URL_S3: estate.moto.endpoint },
              secretEnv: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
              effect: 'read',
            },
          });
        },
      }),
    );
    rmSync(byHand, { recursive: true, force: true });
    expect(judged.codes).toContain('undocumented-change');
    expect(judged.why('undocumented-change')).toContain('infrastructure:stack: network: terraform_data.member[3] (destroy) is not as its code says');
    expect(judged.why('rpo-not-measured')).toContain('network');
    expect(judged.drill.verdict).toBe('failed');
    expect(await bucketsOf(estate.moto)).toEqual([]);
  });

  test('a unit that fails in the middle: the drill fails by its name and cause, and what was built is removed', async () => {
    const judged = await drill(
      estate.drill({
        runbook: small,
        code(folder) {
          smallCode(folder);
          appendFileSync(join(folder, 'modules/part/main.tf'), '\nresource "terraform_data" "late" {\n  count = var.name == "cluster" ? 1 : 0\n  provisioner "local-exec" {\n    command = "echo quota exceeded >&2; exit 3"\n  }\n}\n');
        },
      }),
    );
    expect(judged.why('step-failed')).toMatch(/unit-failed: apply of unit cluster: .*(quota exceeded|local-exec)/s);
    const fates = judged.drill.units?.filter(({ step }) => step === 'build').map(({ unit, result }) => [unit, result]);
    expect(Object.fromEntries(fates ?? [])).toEqual({ network: 'succeeded', keys: 'succeeded', cluster: 'failed' });
    expect(await bucketsOf(estate.moto)).toEqual([]);
  });

  test('cancelled while the cluster is built: cancelled, unlocked, and nothing left', async () => {
    const judged = await drill(
      estate.drill({
        runbook: small,
        code: slowCluster,
        async beside(live) {
          await live.until((event) => event.type === 'unit.finished' && event.step === 'build');
          await live.until((event) => event.type === 'unit.running' && event.step === 'build' && event.data.unit === 'cluster');
          live.child.kill('SIGINT');
        },
      }),
    );
    expect(judged.drill.verdict).toBe('cancelled');
    expect(await bucketsOf(estate.moto)).toEqual([]);
  });

  test('killed while the cluster is built: muster cleanup removes our lock and everything else, and the bundle says what happened', async () => {
    const options = estate.drill({
      runbook: small,
      code: slowCluster,
      async beside(live) {
        await live.until((event) => event.type === 'unit.finished' && event.step === 'build');
        await live.until((event) => event.type === 'unit.running' && event.step === 'build' && event.data.unit === 'cluster');
        live.child.kill('SIGKILL');
        await once(live.child, 'exit');
      },
    });
    const killed = await run(options);
    expect(killed.bundle).toBeNull();
    const [id = ''] = runsIn(killed.state);
    expect(await bucketsOf(estate.moto)).toEqual([bucket]);
    const cleaned = await muster(killed.folder, ['cleanup', id], options);
    expect(cleaned.code, cleaned.stdout + cleaned.stderr).toBe(0);
    expect(await bucketsOf(estate.moto)).toEqual([]);
    const judged = await judge({ ...killed, runId: id, bundle: join(killed.evidenceDir, id) });
    expectNothingLeft(judged);
    expect(judged.drill.verdict).not.toBe('passed');
  });

  test('code whose states lie outside the boundary is refused before anything is built', async () => {
    const judged = await drill(
      estate.drill({
        runbook: small,
        code(folder) {
          smallCode(folder);
          const file = join(folder, 'root.hcl');
          writeFileSync(file, readFileSync(file, 'utf8').replace('key                         = "estate/', 'key                         = "production/'));
        },
        environment: (environment) => (environment.boundary.buckets = [`${bucket}/estate`]),
      }),
    );
    expect(judged.why('step-failed')).toMatch(/refused to reach s3:\/\/drill-states\/production\/\w+\/terraform.tfstate \(read\): it is outside the boundary/);
    expect(judged.of('unit.running').filter(({ step }) => step === 'build')).toEqual([]);
  });
});
