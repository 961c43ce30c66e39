import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { step as apply } from '../../../src/steps/terragrunt/apply.js';
import { step as destroy } from '../../../src/steps/terragrunt/destroy.js';
import { step as drift } from '../../../src/steps/terragrunt/drift.js';
import { step as graph } from '../../../src/steps/terragrunt/graph.js';
import { step as output } from '../../../src/steps/terragrunt/output.js';
import { step as plan } from '../../../src/steps/terragrunt/plan.js';
import { requireComponents } from '../../components/index.js';
import { motoComponent } from '../../components/moto.js';
import { terraformComponent } from '../../components/terraform/index.js';
import { toldOf } from '../lib/context.js';
import { small, startStack, type Stack, type StackOptions } from './rig.js';

vi.setConfig({ testTimeout: 240_000 });
/** All but the network and the queue. */
const without = ['dns', 'keys', 'cluster', 'nodes', 'cache', 'ingress', 'services'];
const suite = await requireComponents(terraformComponent, motoComponent);

suite('terragrunt.*', () => {
  let stack: Stack | undefined;
  afterEach(async () => {
    await stack?.stop();
    stack = undefined;
  });
  const start = async (options?: StackOptions): Promise<Stack> => (stack = await startStack(options));
  const build = async (on: Stack, input: Record<string, unknown> = {}): Promise<void> => {
    const { plan: id } = await on.run(plan, input);
    await on.run(apply, { plan: id });
  };

  test('graph: every unit with what it hangs on, dependencies first, and the commit of the code', async () => {
    const on = await start();
    const { units, count } = await on.run(graph, {});
    expect(count).toBe(9);
    const list = units as { unit: string; after: string[] }[];
    expect(list.find(({ unit }) => unit === 'ingress')?.after).toEqual(['cluster', 'dns']);
    for (const [index, { after }] of list.entries()) for (const name of after) expect(list.findIndex(({ unit }) => unit === name)).toBeLessThan(index);
    const [code] = on.evidence('infrastructure-code');
    expect(code?.commit).toMatch(/^[0-9a-f]{40}$/);
    expect(code?.differing).toEqual([]);
  });

  test('plan, apply, outputs, drift, destroy: real outputs come through, sensitive ones do not, and nothing is left', async () => {
    const on = await start({ without: small });
    const planned = await on.run(plan, {});
    expect(planned).toMatchObject({ create: 9, update: 0, replace: 0, destroy: 0 });
    expect(Object.fromEntries(on.evidence('infrastructure-plan')[0]?.units.map(({ unit, provisional }) => [unit, provisional]) ?? [])).toEqual({ keys: false, network: false, cluster: true });
    const applied = await on.run(apply, { plan: planned['plan'] });
    expect(applied).toMatchObject({ units: 3 });
    expect((applied['criticalPath'] as string[]).at(-1)).toBe('cluster');
    expect(toldOf(on, 'unit finished').map((unit) => (unit as { unit: string }).unit).toSorted()).toEqual(['cluster', 'keys', 'network']);
    const { outputs, sensitive } = await on.run(output, {});
    const read = outputs as Record<string, Record<string, string>>;
    expect(read['cluster']?.['name']).toBe('cluster');
    expect(sensitive).toContain('cluster.token');
    expect(JSON.stringify(outputs)).not.toContain('token-of-');
    // What the cluster was built with is what the others really say, not the mocks of its plan.
    expect(await on.byHand('cluster', 'state', 'pull')).toContain(read['network']?.['id']);
    expect(await on.run(drift, {})).toEqual({ units: 3, differing: 0 });
    const removal = await on.run(plan, { destroy: true });
    expect(await on.run(destroy, { plan: removal['plan'] })).toEqual({ units: 3, destroyed: 9 });
    expect(on.evidence('infrastructure-state').at(-1)?.units.every(({ resources }) => resources === 0)).toBe(true);
    expect(readdirSync(join(on.code, 'cluster'))).toEqual(['terragrunt.hcl']);
  });

  test('a plan that destroys or replaces more than the environment allows is stopped, and so is one that the step does not announce', async () => {
    const on = await start({ without: [...small, 'keys', 'cluster'], mayDestroy: ['network terraform_data.member[*'] });
    await build(on);
    const file = join(on.code, 'network/terragrunt.hcl');
    writeFileSync(file, `include "root" {\n  path = find_in_parent_folders("root.hcl")\n}\nterraform {\n  source = "../modules//part"\n}\ninputs = { name = "network", size = 1 }\n`);
    const smaller = await on.run(plan, {});
    expect(smaller).toMatchObject({ destroy: 2 });
    expect(smaller['summary']).toContain('destroy terraform_data.member[1]');
    await expect(on.run(apply, { plan: smaller['plan'] })).rejects.toMatchObject({ code: 'not-allowed-to-destroy', message: expect.stringContaining('network terraform_data.member[1] (mayDestroy of the step)') as string });
    await on.run(apply, { plan: smaller['plan'], mayDestroy: ['network *'] });
    const all = await on.run(plan, { destroy: true });
    await expect(on.run(destroy, { plan: all['plan'] })).rejects.toMatchObject({ code: 'not-allowed-to-destroy', message: expect.stringContaining('network terraform_data.part (mayDestroy of connection stack)') as string });
  });

  test('a plan gone stale is refused: the code was edited, or a state has moved', async () => {
    const on = await start({ without: [...small, 'keys', 'cluster'] });
    const first = await on.run(plan, {});
    appendFileSync(join(on.code, 'modules/part/main.tf'), '\n# edited after the review\n');
    await expect(on.run(apply, { plan: first['plan'] })).rejects.toMatchObject({ code: 'plan-stale', message: expect.stringContaining('modules/part/main.tf') as string });
    const second = await on.run(plan, {});
    await on.byHand('network', 'apply', '-auto-approve', '-input=false');
    await expect(on.run(apply, { plan: second['plan'] })).rejects.toMatchObject({ code: 'plan-stale' });
    await expect(on.run(apply, { plan: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'no-such-plan' });
  });

  test('what is planned again on real outputs and would do more than was looked at is stopped', async () => {
    // How many members the cluster has hangs on an output of the network.
    const on = await start({
      without: small,
      edit: (code) => {
        const file = join(code, 'cluster/terragrunt.hcl');
        writeFileSync(file, `include "root" {\n  path = find_in_parent_folders("root.hcl")\n}\nterraform {\n  source = "../modules//part"\n}\ndependency "network" {\n  config_path = "../network"\n  mock_outputs = { name = "not-there-yet" }\n}\ninputs = {\n  name = "cluster"\n  size = dependency.network.outputs.name == "network" ? 5 : 1\n}\n`);
      },
    });
    const { plan: id } = await on.run(plan, {});
    await expect(on.run(apply, { plan: id })).rejects.toMatchObject({ code: 'plan-differs', message: expect.stringContaining('create terraform_data.member[4]') as string });
  });

  test('a unit that fails in the middle: named with its cause, with what never began; every fate on record; the cleanup leaves nothing', async () => {
    const on = await start({
      without: ['dns', 'cache', 'queue', 'ingress', 'services'],
      edit: (code) => {
        appendFileSync(join(code, 'modules/part/main.tf'), '\nresource "terraform_data" "late" {\n  count = var.name == "cluster" ? 1 : 0\n  provisioner "local-exec" {\n    command = "echo quota exceeded >&2; exit 3"\n  }\n}\n');
      },
    });
    const { plan: id } = await on.run(plan, {});
    await expect(on.run(apply, { plan: id })).rejects.toMatchObject({ code: 'unit-failed', message: expect.stringMatching(/cluster.*quota exceeded|cluster.*local-exec/s) as string });
    const fates = Object.fromEntries(toldOf(on, 'unit finished').map((unit) => [(unit as { unit: string }).unit, (unit as { result: string }).result]));
    expect(fates).toEqual({ keys: 'succeeded', network: 'succeeded', cluster: 'failed' });
    const [removal] = toldOf(on, 'defer') as { uses: string; with: Record<string, unknown> }[];
    expect(removal).toBeDefined();
    if (removal !== undefined) await on.cleanUp(apply, removal);
    for (const unit of ['network', 'keys', 'cluster']) expect(await on.holds(unit)).toEqual([]);
  });

  test('a retry that succeeds is not clean unless the runbook says so', async () => {
    const on = await start({
      without,
      terraform: 'slow-api-terraform',
    });
    const { plan: id } = await on.run(plan, {});
    await expect(on.run(apply, { plan: id })).rejects.toMatchObject({ code: 'unit-not-clean', message: 'unit queue: retry succeeded' });
    await on.stop();
    const tolerating = await start({ without, terraform: 'slow-api-terraform' });
    const { plan: again } = await tolerating.run(plan, {});
    await tolerating.run(apply, { plan: again, tolerate: [{ unit: 'queue', reason: 'retry succeeded' }] });
    expect(toldOf(tolerating, 'unit finished')).toContainEqual(expect.objectContaining({ unit: 'queue', result: 'succeeded', reason: 'retry succeeded' }));
  });

  test('an error that Terragrunt was told to ignore is not clean, and its unit is not there', async () => {
    const on = await start({
      without,
      edit: (code) => {
        appendFileSync(join(code, 'queue/terragrunt.hcl'), '\nerrors {\n  ignore "never_mind" {\n    ignorable_errors = [".*no room.*"]\n    message          = "never mind"\n  }\n}\n');
        appendFileSync(join(code, 'modules/part/main.tf'), '\nresource "terraform_data" "late" {\n  count = var.name == "queue" ? 1 : 0\n  provisioner "local-exec" {\n    command = "echo no room >&2; exit 3"\n  }\n}\n');
      },
    });
    const { plan: id } = await on.run(plan, {});
    await expect(on.run(apply, { plan: id })).rejects.toMatchObject({ code: 'unit-not-clean', message: 'unit queue: error ignored (never_mind)' });
  });
});
