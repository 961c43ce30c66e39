import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CopyObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { step as apply } from '../../../src/steps/terraform/apply.js';
import { step as plan } from '../../../src/steps/terraform/plan.js';
import { step as rollback } from '../../../src/steps/terraform/state-rollback.js';
import { step as versions } from '../../../src/steps/terraform/state-versions.js';
import { signal, startRig, type Rig } from '../../clients/terraform/rig.js';
import { terraformOnMoto } from '../../components/terraform/index.js';
import { toldOf } from '../lib/context.js';

const describe = await terraformOnMoto();

describe('rolling a state back', { timeout: 120_000 }, () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(() => rig.stop());

  async function build(name: string, release: string) {
    const { plan: saved } = await plan.run({ infrastructure: name, vars: { release } }, rig.context());
    return apply.run({ infrastructure: name, plan: saved, mayDestroy: ['*'] }, rig.context());
  }

  /** A good apply, and a bad one on top. */
  async function broken(name: string, code: { table?: string } = {}) {
    await rig.infrastructure(name, code, { mayDestroy: ['*'] });
    await build(name, '1');
    return build(name, '2');
  }

  const current = (name: string) => rig.port.state(name, signal);
  const wayBackOf = (ctx: ReturnType<Rig['context']>) => (toldOf(ctx, 'defer') as { uses: string; with: Record<string, unknown> }[]).find(({ uses }) => uses === 'terraform.state-rollback/way-back')?.with ?? {};

  for (const [name, table] of [['lockfile', undefined], ['locktable', 'locks']] as const) {
    test(`lists versions by serial, pushes the one before with the next serial, and shows what differs (${name})`, async () => {
      const bad = await broken(name, table === undefined ? {} : { table });
      const listed = rig.context();
      const { chosen, current: now, versions: all } = await versions.run({ infrastructure: name, bucket: 'states', serial: bad.serialBefore ?? -1 }, listed);
      expect(now.serial).toBe(bad.serial);
      expect(chosen).toMatchObject({ serial: bad.serialBefore, lineage: bad.lineage, resources: 3 });
      expect(all.map(({ serial }) => serial)).toEqual(all.map(({ serial }) => serial).toSorted((a, b) => b - a));
      expect(toldOf(listed, 'evidence object-versions')).toMatchObject([{ key: rig.keyOf(name), asked: { found: { version: chosen.version } } }]);
      const ctx = rig.context();
      const result = await rollback.run({ infrastructure: name, bucket: 'states', version: chosen.version, vars: { release: '2' } }, ctx);
      // The code still says 2, the state 1 again.
      expect(result).toMatchObject({ lineage: bad.lineage, resources: 3, kept: now.version, differs: 2, addresses: ['terraform_data.app', 'terraform_data.certificate'] });
      expect((await current(name))?.serial).toBe(result.serial);
      expect(result.serial).toBeGreaterThan(bad.serial ?? 0);
      expect(JSON.stringify(ctx.told)).not.toContain('c4n4ry');
      // As long as nothing stands on top and it does not fit, it can be taken back.
      const wayBack = rollback.cleanups?.['way-back'];
      await wayBack?.run(wayBackOf(ctx), table === undefined ? undefined : { serial: result.serial }, rig.context());
      const back = await current(name);
      expect(back).toMatchObject({ lineage: bad.lineage });
      expect(back?.serial).toBeGreaterThan(result.serial);
      expect((await rig.port.plan(name, { vars: { release: '2' } }, { mark: randomUUID() }, signal)).exitCode).toBe(0);
      // Twice is once.
      await wayBack?.run(wayBackOf(ctx), undefined, rig.context());
      expect((await current(name))?.serial).toBe(back?.serial);
    });
  }

  test('keeps a rollback that fits, and one that was built on', async () => {
    await broken('fits');
    const ctx = rig.context();
    const { serial, differs } = await rollback.run({ infrastructure: 'fits', bucket: 'states', vars: { release: '1' } }, ctx);
    expect(differs).toBe(0);
    await rollback.cleanups?.['way-back']?.run(wayBackOf(ctx), undefined, rig.context());
    expect((await current('fits'))?.serial).toBe(serial);

    await broken('built-on');
    const second = rig.context();
    await rollback.run({ infrastructure: 'built-on', bucket: 'states' }, second);
    const { serial: built } = await build('built-on', '3');
    await rollback.cleanups?.['way-back']?.run(wayBackOf(second), undefined, rig.context());
    expect((await current('built-on'))?.serial).toBe(built);
  });

  test('refuses a state of another lineage, and one that is current already', async () => {
    await broken('one');
    // Somebody began the infrastructure anew under the same key.
    const before = await current('one');
    await rig.byHand('one', 'state', 'push', '-force', foreignState(rig));
    await expect(rollback.run({ infrastructure: 'one', bucket: 'states' }, rig.context())).rejects.toMatchObject({ code: 'wrong-lineage', message: expect.stringContaining(before?.lineage ?? '?') as unknown });
    const { current: now } = await versions.run({ infrastructure: 'one', bucket: 'states' }, rig.context());
    await expect(rollback.run({ infrastructure: 'one', bucket: 'states', version: now.version }, rig.context())).rejects.toMatchObject({ code: 'already-current' });
    await expect(rollback.run({ infrastructure: 'one', bucket: 'states', version: 'nonsense' }, rig.context())).rejects.toMatchObject({ code: 'no-such-version' });
  });

  test('refuses to copy the object, with the reason; and names what it is when somebody did', async () => {
    const ctx = rig.context();
    const given = { infrastructure: 'copied', bucket: 'states', method: 'copy' } as const;
    expect((await rollback.plan(given, ctx)).does).toMatch(/^Refused: copying an old version .* digest/);
    expect(await rollback.preflight?.(given, ctx)).toMatchObject([{ result: 'failed', detail: expect.stringContaining('next serial') as unknown }]);
    await expect(rollback.run(given, ctx)).rejects.toMatchObject({ code: 'copy-refused' });

    await broken('copied', { table: 'locks' });
    const { chosen } = await versions.run({ infrastructure: 'copied', bucket: 'states' }, rig.context());
    await rig.store.s3.send(new CopyObjectCommand({ Bucket: 'states', Key: rig.keyOf('copied'), CopySource: `states/${rig.keyOf('copied')}?versionId=${chosen.version}` }));
    await expect(plan.run({ infrastructure: 'copied' }, rig.context())).rejects.toMatchObject({ code: 'state-digest-differs', hint: expect.stringContaining('terraform.state-rollback') as unknown });
  });

  test('leaves a state alone that somebody wrote in the meantime', async () => {
    await broken('moved');
    const { chosen } = await versions.run({ infrastructure: 'moved', bucket: 'states' }, rig.context());
    const text = await (await rig.store.s3.send(new GetObjectCommand({ Bucket: 'states', Key: rig.keyOf('moved'), VersionId: chosen.version }))).Body?.transformToString();
    const before = await current('moved');
    await rig.byHand('moved', 'state', 'rm', 'terraform_data.network');
    await expect(rig.port.push('moved', text ?? '', before?.serial ?? 0, { mark: randomUUID() }, signal)).rejects.toMatchObject({ code: 'state-moved' });
  });
});

/** A file with the state of an infrastructure that was begun anew. */
function foreignState(rig: Rig): string {
  const file = join(rig.folder, 'foreign.tfstate');
  writeFileSync(file, JSON.stringify({ version: 4, terraform_version: '1.5.0', serial: 90, lineage: randomUUID(), outputs: {}, resources: [] }));
  return file;
}
