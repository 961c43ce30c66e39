import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectVersionsCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requireComponent } from '../components/index.js';
import { motoComponent, startMoto, type Moto } from '../components/moto.js';
import { environment, Place, runbook } from './lib.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

/** The arguments of a drill whose environment names a store. */
function drill(evidence: string, ...more: string[]): string[] {
  const file = join(place.cwd, 'environment.yaml');
  writeFileSync(file, `${readFileSync(environment, 'utf8')}evidence: ${evidence}\n`);
  return ['run', runbook, '--env', file, ...more];
}
const registered = (bundle: string) => place.events(bundle).flatMap((event) => (event.type === 'store.registered' ? [event.data] : []));
const html = (bundle: string) => readFileSync(join(place.cwd, 'evidence', bundle, 'data/report.html'), 'utf8');

describe('an evidence store that is a folder', () => {
  let store: string;
  beforeEach(() => {
    store = join(place.cwd, 'store');
    mkdirSync(store);
  });
  const stored = (folder: string) => readdirSync(join(store, folder));

  it('gets each run before anything starts and its bundle afterwards, which verifies', async () => {
    const { code, stderr } = await place.run(drill('{ store: store }'));
    expect(stderr).toContain(`Copied to ${store}/bundles/`);
    expect(code).toBe(0);
    const [bundle = ''] = place.bundles();
    const registration = JSON.parse(readFileSync(join(store, 'registered', `${bundle}.json`), 'utf8')) as Record<string, unknown>;
    expect(registration).toMatchObject({ run: bundle, plan: place.drillOf(bundle).plan, runbook: { name: 'commands', version: '1.0.0' }, environment: 'commands' });
    expect(registration['operator']).not.toBe('');
    expect(place.events(bundle).slice(0, 2).map(({ type }) => type)).toEqual(['run.started', 'store.registered']);
    expect(registered(bundle)).toEqual([{ store, lock: null, open: [] }]);
    const verified = await place.run(['verify', join(store, 'bundles', `${bundle}.zip`)]);
    expect(verified.stdout).toContain('sound');
    expect(verified.code).toBe(0);
  });

  it('lists a failed drill whose bundle vanished, the latest one too', async () => {
    await place.run(drill('{ store: store }', '--set', 'exit=7'));
    const [lost = ''] = place.bundles();
    rmSync(join(place.cwd, 'evidence'), { recursive: true });
    rmSync(join(store, 'bundles', `${lost}.zip`), { force: true });

    const asked = await place.run(['history', '--store', 'store']);
    expect(asked.stdout).toMatch(new RegExp(`without a bundle there and here:\\n +${lost} +by .*left no bundle`));
    expect(asked.code).toBe(0);
    expect((await place.run(['history'])).code).toBe(2);

    const { code, stderr } = await place.run(drill('{ store: store }'));
    expect(stderr).toMatch(new RegExp(`no bundle is there .*:\\n +${lost}`));
    expect(code).toBe(0);
    const [bundle = ''] = place.bundles();
    expect(registered(bundle)[0]?.open).toMatchObject([{ run: lost, refused: false }]);
    expect(place.drillOf(bundle).store?.open.map(({ run }) => run)).toEqual([lost]);
    expect(html(bundle)).toContain(`<code>${lost}</code>`);
    expect((await place.run(['report', join('evidence', bundle), '--format', 'markdown'])).stdout).toContain(lost);
    expect((await place.run(['history'])).stdout).toContain(`${lost}  by`);
    expect(JSON.parse((await place.run(['history', '--format', 'json'])).stdout)).toMatchObject({ withoutBundle: [{ store, seenBy: bundle, open: [{ run: lost }] }] });
    expect((await place.run(['verify', 'evidence'])).code).toBe(0);
  });

  it('refuses with 3 and leaves nothing when the run cannot be registered', async () => {
    const { code, stdout, stderr } = await place.run(drill('{ store: gone }', '--json'));
    expect(stderr).toMatch(/refused: [^]*evidence store: .*cannot list .*gone.*ENOENT/);
    expect(code).toBe(3);
    expect(stdout).toBe('');
    expect(['evidence', 'state/runs'].filter((name) => existsSync(join(place.cwd, name)))).toEqual([]);

    // It can be read, and not be written.
    mkdirSync(join(place.cwd, 'gone'));
    symlinkSync('/proc', join(place.cwd, 'gone/registered'));
    const unwritable = await place.run(drill('{ store: gone }'));
    expect(unwritable.stderr).toMatch(/refused: this run cannot be registered in the evidence store .*gone\n.*cannot write/);
    expect(unwritable.code).toBe(3);
    expect(place.runs()).toEqual([]);
    expect(existsSync(join(place.cwd, 'evidence'))).toBe(false);
  });

  it('is looked at by plan and doctor before anybody relies on it', async () => {
    const [, , , file = ''] = drill('{ store: store }');
    expect((await place.run(['plan', runbook, '--env', file])).stdout).not.toContain('cannot list');
    rmSync(store, { recursive: true });
    expect((await place.run(['plan', runbook, '--env', file])).stdout).toMatch(/evidence store: .*\n?.*cannot list/);
    expect((await place.run(['doctor', '--env', file])).stdout).toMatch(/evidence store: .*\n?.*cannot list/);
  });

  it('keeps the verdict and says it loudly when the copy fails; cleanup of a killed run copies what is left', async () => {
    const started = place.start(drill('{ store: store }', '--json', '--set', 'verify=1'));
    await started.event((event) => event.type === 'step.started' && event.step === 'verify');
    renameSync(store, `${store}-away`);
    const { code, stderr } = await started.ended;
    expect(stderr).toContain('THE EVIDENCE STORE HAS NO COPY OF THIS BUNDLE');
    expect(code).toBe(0);
    const [bundle = ''] = place.bundles();
    expect(place.verdict(bundle)).toBe('passed');
    renameSync(`${store}-away`, store);

    const second = place.start(drill('{ store: store }', '--json', '--set', 'inject=60'));
    await second.event((event) => event.type === 'step.started' && event.step === 'inject');
    second.child.kill('SIGKILL');
    await second.ended;
    const [run = ''] = place.runs();
    expect(stored('registered').toSorted()).toEqual([`${bundle}.json`, `${run}.json`].toSorted());
    await place.run(['cleanup', run]);
    expect(stored('bundles')).toEqual([`${run}.zip`]);
    expect(registered(run)[0]?.open.map((each) => each.run)).toEqual([bundle]);
    // Its bundle is here: only the store lacks it.
    expect((await place.run(['history', '--store', store])).stdout).not.toContain('without a bundle');
  });

  it('is out of reach of the steps', async () => {
    const file = join(place.cwd, 'removes.yaml');
    writeFileSync(file, readFileSync(runbook, 'utf8').replace('argv: [sleep, "{{ inputs.inject }}"]', `argv: [sleep, "0"], cwd: ${JSON.stringify(store)}`));
    const args = drill('{ store: store }').map((arg) => (arg === runbook ? file : arg));
    const named = join(place.cwd, 'environment.yaml');
    writeFileSync(named, readFileSync(named, 'utf8').replace('commands: [sh, sleep]', `commands: [sh, sleep], directories: [${JSON.stringify(place.cwd)}]`));
    const { code, stderr } = await place.run(args);
    expect(stderr).toContain(store);
    expect(code).toBe(3);
    expect(stored('refused')).toEqual(stored('registered'));
    expect((await place.run(['history', '--store', 'store'])).stdout).toContain('it says that it was refused before its fault');
  });

  it('cannot be asked to hold what a folder cannot hold', async () => {
    const { code, stderr } = await place.run(drill('{ store: store, retain: 400d }'));
    expect(stderr).toContain('evidence.retain needs a bucket with Object Lock');
    expect(code).toBe(2);
    expect(readdirSync(store)).toEqual([]);
  });

  it.each(['{ store: "https://example.org/x" }', '{ store: "s3://Bucket" }', '{ store: "s3://user:c4n4ry@bucket/x" }'])('is no %s', async (evidence) => {
    const { code, stderr } = await place.run(drill(evidence));
    expect(stderr).toContain('environment.yaml:8');
    expect(stderr).not.toContain('c4n4ry');
    expect(code).toBe(2);
  });
});

const describeMoto = await requireComponent(motoComponent);

describeMoto('an evidence store that is a bucket', () => {
  let moto: Moto;
  let client: S3Client;
  beforeAll(async () => {
    moto = await startMoto();
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = moto.env;
    client = new S3Client({ region: 'eu-central-1', endpoint: moto.endpoint, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  });
  afterAll(async () => {
    client.destroy();
    await moto.stop();
  });

  it('holds registration and bundle by Object Lock; no secret shows anywhere', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'evidence', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' }, ObjectLockEnabledForBucket: true }));
    await client.send(new PutObjectLockConfigurationCommand({ Bucket: 'evidence', ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 400 } } } }));
    const { code, stdout, stderr } = await place.run(drill('{ store: s3://evidence/drills }', '--json'), moto.env);
    expect(stderr).toMatch(/Copied to s3:\/\/evidence\/drills\/bundles\/.*, locked until 20/);
    expect(stderr).not.toContain('Warning');
    expect(code).toBe(0);
    const [bundle = ''] = place.bundles();
    expect(registered(bundle)[0]?.lock?.mode).toBe('compliance');
    expect(stdout + stderr).not.toContain('c4n4ry');
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: 'evidence' }));
    expect(Versions.map(({ Key }) => Key)).toEqual([`drills/bundles/${bundle}.zip`, `drills/registered/${bundle}.json`]);
    expect((await place.run(['history', '--store', 's3://evidence/drills'], moto.env)).code).toBe(0);
  });

  it('refuses with 3 and says what the service says', async () => {
    const { code, stderr } = await place.run(drill('{ store: s3://nowhere }'), moto.env);
    expect(stderr).toMatch(/refused: [^]*cannot list s3:\/\/nowhere.*NoSuchBucket/);
    expect(code).toBe(3);
    expect(existsSync(join(place.cwd, 'state/runs'))).toBe(false);
  });
});
