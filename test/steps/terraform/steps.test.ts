import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { step as apply } from '../../../src/steps/terraform/apply.js';
import { step as destroy } from '../../../src/steps/terraform/destroy.js';
import { step as drift } from '../../../src/steps/terraform/drift.js';
import { step as output } from '../../../src/steps/terraform/output.js';
import { step as plan } from '../../../src/steps/terraform/plan.js';
import { startRig, type Rig } from '../../clients/terraform/rig.js';
import { terraformOnMoto } from '../../components/terraform/index.js';
import { toldOf } from '../lib/context.js';

const describe = await terraformOnMoto();

describe('terraform steps', { timeout: 120_000 }, () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(() => rig.stop());

  /** Plans and applies. */
  async function build(name: string, values: { vars?: Record<string, unknown>; mayDestroy?: string[] } = {}) {
    const { plan: saved } = await plan.run({ infrastructure: name, ...(values.vars === undefined ? {} : { vars: values.vars }) }, rig.context());
    const ctx = rig.context();
    return { ctx, result: await apply.run({ infrastructure: name, plan: saved, mayDestroy: values.mayDestroy ?? [] }, ctx) };
  }

  test('shows a plan, applies it, and reads it back clean, with commit, lineage and serial', async () => {
    await rig.infrastructure('shop');
    const planned = rig.context();
    const shown = await plan.run({ infrastructure: 'shop', vars: { release: '7' } }, planned);
    expect(shown).toMatchObject({ create: 3, replace: 0, destroy: 0, gone: [], summary: '3 to create' });
    expect(toldOf(planned, 'evidence infrastructure-plan')).toMatchObject([{ connection: 'shop', plan: shown.plan, destroys: false, env: { TF_VAR_release: '7' }, units: [{ unit: '.', create: 3, gone: [] }] }]);
    expect(toldOf(planned, 'evidence infrastructure-code')).toMatchObject([{ commit: expect.stringMatching(/^[0-9a-f]{40}$/) as unknown, differing: [] }]);
    const applied = rig.context();
    expect(await apply.run({ infrastructure: 'shop', plan: shown.plan }, applied)).toMatchObject({ resources: 3, serialBefore: null });
    expect(toldOf(applied, 'evidence infrastructure-state')).toMatchObject([{ when: 'before', units: [{ lineage: null }] }, { when: 'applied', units: [{ lineage: expect.any(String) as unknown, resources: 3 }] }]);
    expect(toldOf(applied, 'unit finished')).toMatchObject([{ unit: '.', result: 'succeeded' }]);
    expect(await output.run({ infrastructure: 'shop', names: ['release', 'password'] }, rig.context())).toEqual({ outputs: { release: '7' }, sensitive: ['password'] });
    const checked = rig.context();
    expect(await drift.run({ infrastructure: 'shop', vars: { release: '7' } }, checked)).toEqual({ clean: true, differences: 0 });
    expect(toldOf(checked, 'evidence drift')).toEqual([{ connection: 'shop', units: [{ unit: '.', exitCode: 0, differences: [], outputs: [] }] }]);
  });

  test('tells what was changed behind its back by address and attribute, and no value of it', async () => {
    await rig.infrastructure('edited');
    await build('edited');
    // Somebody edits the state by hand, as if a refresh had found another password and other names.
    const state = JSON.parse(await rig.byHand('edited', 'state', 'pull')) as { serial: number };
    const other = JSON.stringify({ ...state, serial: state.serial + 1 }).replaceAll('c4n4ry-of-the-shop', 'c4n4ry-of-mallory').replace('"www"', '"evil"');
    const file = join(rig.folder, 'edited.tfstate');
    writeFileSync(file, other);
    await rig.byHand('edited', 'state', 'push', file);
    const ctx = rig.context();
    expect(await drift.run({ infrastructure: 'edited' }, ctx)).toMatchObject({ clean: false });
    const [found] = toldOf(ctx, 'evidence drift') as [{ units: [{ exitCode: number; differences: { address: string; attributes: string[] }[] }] }];
    expect(found.units[0]).toMatchObject({ exitCode: 2 });
    expect(found.units[0].differences.map(({ address }) => address)).toEqual(['terraform_data.app', 'terraform_data.certificate']);
    expect(found.units[0].differences[0]?.attributes).toContain('input.password (sensitive)');
    expect(found.units[0].differences[1]?.attributes).toContain('input.names');
    expect(JSON.stringify(ctx.told)).not.toMatch(/c4n4ry|evil/);
  });

  test('finds a resource that somebody removed from the state by hand', async () => {
    await rig.infrastructure('removed');
    await build('removed');
    await rig.byHand('removed', 'state', 'rm', 'terraform_data.certificate');
    const ctx = rig.context();
    expect(await drift.run({ infrastructure: 'removed' }, ctx)).toMatchObject({ clean: false });
    expect(toldOf(ctx, 'evidence drift')).toMatchObject([{ units: [{ differences: [{ address: 'terraform_data.certificate', actions: ['create'] }] }] }]);
  });

  test('says that the code is not what was committed', async () => {
    const { directory } = await rig.infrastructure('uncommitted');
    appendFileSync(join(directory, 'main.tf'), '\n# by hand\n');
    const ctx = rig.context();
    await plan.run({ infrastructure: 'uncommitted' }, ctx);
    expect(toldOf(ctx, 'evidence infrastructure-code')).toMatchObject([{ differing: ['main.tf'] }]);
  });

  test('destroys and replaces only what both the step and the environment allow', async () => {
    await rig.infrastructure('guarded', {}, { mayDestroy: ['terraform_data.app'] });
    await build('guarded');
    const serial = (await rig.port.state('guarded', rig.context().signal))?.serial;
    await expect(build('guarded', { vars: { release: '2' } })).rejects.toMatchObject({ code: 'not-allowed-to-destroy', message: expect.stringContaining('terraform_data.app (mayDestroy of the step)') as unknown });
    await expect(destroy.run({ infrastructure: 'guarded' }, rig.context())).rejects.toMatchObject({ code: 'not-allowed-to-destroy', message: expect.stringMatching(/terraform_data\.network \(mayDestroy of connection guarded\)/) as unknown });
    expect((await rig.port.state('guarded', rig.context().signal))?.serial).toBe(serial);
    expect((await build('guarded', { vars: { release: '2' }, mayDestroy: ['terraform_data.*'] })).result.resources).toBe(3);
  });

  test('takes everything down, and says so when something stays', async () => {
    await rig.infrastructure('down', {}, { mayDestroy: ['*'] });
    await build('down');
    const ctx = rig.context();
    expect(await destroy.run({ infrastructure: 'down' }, ctx)).toEqual({ destroyed: 3, left: 0, summary: '3 to destroy' });
    expect(toldOf(ctx, 'evidence infrastructure-plan')).toMatchObject([{ destroys: true, units: [{ destroy: 3, gone: ['terraform_data.app', 'terraform_data.certificate', 'terraform_data.network'] }] }]);
    expect(toldOf(ctx, 'evidence infrastructure-state')).toMatchObject([{ when: 'destroyed', units: [{ resources: 0 }] }]);

    await rig.infrastructure('sticky', { body: 'resource "terraform_data" "stays" {\n  provisioner "local-exec" {\n    when    = destroy\n    command = "exit 1"\n  }\n}\nresource "terraform_data" "goes" {}\n' }, { mayDestroy: ['*'] });
    await build('sticky');
    await expect(destroy.run({ infrastructure: 'sticky' }, rig.context())).rejects.toMatchObject({ code: 'terraform-failed', message: expect.stringContaining('terraform_data.stays') as unknown });
    expect((await rig.port.state('sticky', ctx.signal))?.resources).toEqual(['terraform_data.stays']);
  });

  test('what a run built where nothing was goes with its cleanup; what was there before stays', async () => {
    await rig.infrastructure('fresh');
    const { ctx } = await build('fresh');
    const registered = (toldOf(ctx, 'defer') as { uses: string; with: Record<string, unknown> }[]).find(({ uses }) => uses === 'terraform.apply/take-down');
    const [identity] = toldOf(ctx, 'confirm') as [Record<string, unknown>];
    const takeDown = apply.cleanups?.['take-down'];
    // Another's state under the same name is left alone.
    await takeDown?.run(registered?.with ?? {}, { lineage: 'another' }, rig.context());
    expect((await rig.port.state('fresh', ctx.signal))?.resources).toHaveLength(3);
    await takeDown?.run(registered?.with ?? {}, identity, rig.context());
    expect((await rig.port.state('fresh', ctx.signal))?.resources).toEqual([]);
    await takeDown?.run(registered?.with ?? {}, identity, rig.context());

    await rig.infrastructure('there');
    await build('there');
    const { ctx: second } = await build('there', { vars: { release: '1', password: 'another-c4n4ry' } });
    expect(toldOf(second, 'defer')).toMatchObject([{ uses: 'terraform.apply/release' }]);
  });
});
