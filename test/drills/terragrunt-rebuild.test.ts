import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { motoComponent } from '../components/moto.js';
import { requireComponents } from '../components/index.js';
import { terraformComponent } from '../components/terraform/index.js';
import { drill, muster, remove, removeFolders, scratch } from './harness.js';
import { bucketsOf, startEstate, type Estate } from './terragrunt-rig.js';

const suite = await requireComponents(terraformComponent, motoComponent);

suite('an environment is rebuilt from code', () => {
  let estate: Estate;
  beforeAll(async () => {
    estate = await startEstate();
  });
  afterAll(async () => {
    await estate.stop();
    await removeFolders();
  });

  test('passes: bootstrapped, built in the order of the dependencies, held against its code, and gone again', async () => {
    const judged = await drill(estate.drill());
    const { drill: result, bundle } = judged;
    expect(result.reasons).toEqual([]);
    expect(result.verdict).toBe('passed');
    expect(result.rto).toMatchObject({ status: 'met', title: 'recovery time, isolated copy; production cutover not exercised', restoredMs: null });
    expect(result.rpo).toMatchObject({ status: 'met', basis: 'code', valueMs: 0, stores: [{ store: 'stack', basis: 'code' }] });
    expect(result.notProved.join()).toContain('Data: what is rebuilt from code holds none of it');

    // Nine units were built, each after all that it hangs on, and the chain that took longest is named.
    const built = (result.units ?? []).filter(({ step }) => step === 'build');
    const nine = ['cache', 'cluster', 'dns', 'ingress', 'keys', 'network', 'nodes', 'queue', 'services'];
    expect(Object.fromEntries(built.map(({ unit, result: fate }) => [unit, fate]))).toEqual(Object.fromEntries(nine.map((unit) => [unit, 'succeeded'])));
    const end = ({ startMs, durationMs }: (typeof built)[number]) => (startMs ?? 0) + (durationMs ?? 0);
    for (const unit of built) for (const name of unit.after) expect(end(built.find((each) => each.unit === name) ?? unit)).toBeLessThanOrEqual(unit.startMs ?? 0);
    const path = built.filter(({ critical }) => critical).map(({ unit }) => unit);
    expect(path).toContain('cluster');
    const report = readFileSync(join(bundle, 'data/report.html'), 'utf8');
    expect(report).toContain('Critical path of build');
    expect(report).toContain('on the critical path');

    // What was looked at, what there was, and that it went again.
    expect(judged.evidence('infrastructure-plan')[0]?.units).toHaveLength(9);
    expect(judged.evidence('drift').at(-1)?.units.every(({ exitCode }) => exitCode === 0)).toBe(true);
    expect(judged.evidence('infrastructure-state').at(-1)).toMatchObject({ when: 'destroyed' });
    expect(judged.evidence('infrastructure-state').at(-1)?.units.every(({ resources }) => resources === 0)).toBe(true);
    expect(judged.stderr + judged.stdout).not.toContain('c4n4ry-of-the-rebuild');
    expect(await bucketsOf(estate.moto)).toEqual([]);
  });

  test('compared with an earlier rebuild: the unit that made it slower is named', async () => {
    const evidenceDir = join(await scratch(), 'evidence');
    const rebuilt = (seconds: number) =>
      drill({
        ...estate.drill({
          runbook: (runbook) => remove(runbook, 'plan-cnpg', 'cnpg', 'plan-database', 'database', 'plan-application', 'application'),
          code(folder) {
            for (const unit of ['dns', 'nodes', 'cache', 'queue', 'ingress', 'services']) rmSync(join(folder, unit), { recursive: true });
            const file = join(folder, 'cluster/terragrunt.hcl');
            writeFileSync(file, readFileSync(file, 'utf8').replace('seconds = 1', `seconds = ${seconds}`));
          },
        }),
        evidenceDir,
      });
    const [first, second] = [await rebuilt(0), await rebuilt(15)];
    expect([first.drill.verdict, second.drill.verdict]).toEqual(['passed', 'passed']);
    const compared = await muster(second.folder, ['compare', first.bundle, second.bundle]);
    expect(compared.code, compared.stderr).toBe(0);
    const [line = ''] = compared.stdout.split('\n').filter((each) => each.includes('restore: build (unit cluster)'));
    expect(line).toMatch(/\+1\d(\.\d)? s/);
  });
});
