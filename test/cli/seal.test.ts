import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DrillEvent } from '../../src/engine/events.js';
import { Place } from './lib.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const at = (...parts: string[]) => join(place.cwd, ...parts);
const keygen = async (...args: string[]) => {
  const made = await place.run(['keygen', ...args]);
  appendFileSync(at('signers'), made.stdout);
  return made;
};
const last = (): string => place.bundles()[0] ?? '';
/** Runs the drill and gives the name of its bundle. */
const drill = async (...args: string[]): Promise<string> => {
  const event = place.start(place.drill('--json', ...args));
  const started = await event.event(({ type }) => type === 'run.started');
  await event.ended;
  return started.type === 'run.started' ? started.data.run : '';
};
const previous = (bundle: string) => {
  const [line = ''] = readFileSync(at('evidence', bundle, 'data/events.jsonl'), 'utf8').split('\n');
  const event = JSON.parse(line) as DrillEvent;
  return event.type === 'run.started' ? event.data.previous?.map(({ run }) => run) : undefined;
};

describe('a key that cannot be used any more', () => {
  it.each(['cleanup', 'resume'])('does not stop muster %s: the bundle is written, unsealed, and that is said', async (command) => {
    const drill = place.start(place.drill('--json', '--set', 'verify=2'));
    await drill.event(({ type, step }) => type === 'step.started' && step === 'verify');
    drill.child.kill('SIGKILL');
    await drill.ended;
    const [run = ''] = place.runs();
    const { code, stderr } = await place.run([command, run], { MUSTER_KEY: 'gone', MUSTER_INPUT_token: 'a-token-of-tests' });
    expect(stderr).toContain('NOT SEALED: cannot read the key');
    expect(code).toBe(command === 'cleanup' ? 0 : 1);
    expect(place.runs()).toEqual([]);
    expect((await place.run(['verify', join('evidence', last())])).code).toBe(0);
  });
});

describe('muster keygen', () => {
  it('names whose key it is, as allowed signers take it', async () => {
    const { code, stdout } = await keygen('--out', 'named', '--as', 'sam@example.org');
    expect([code, stdout.split(' ')[0]]).toEqual([0, 'sam@example.org']);
    expect((await place.run(['keygen', '--out', 'other', '--as', 'sam namespaces="*"'])).code).toBe(2);
  });

  it.each(['ed25519', 'ecdsa'])('makes an %s key that only its owner reads, and prints its line for allowed_signers', async (type) => {
    const { code, stdout } = await keygen('--out', 'key', '--type', type);
    expect(code).toBe(0);
    expect(statSync(at('key')).mode & 0o777).toBe(0o600);
    const [kind, key] = execFileSync('ssh-keygen', ['-y', '-f', at('key')], { encoding: 'utf8' }).split(' ');
    expect(readFileSync(at('key.pub'), 'utf8')).toContain(`${kind} ${key}`);
    expect(stdout).toMatch(/^\S+ namespaces="muster-drill,muster-approval" /);
    expect(stdout.trimEnd().endsWith(`${kind} ${key}`)).toBe(true);
    const again = await place.run(['keygen', '--out', 'key']);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('cannot write the key');
  });
});

describe('muster run --key', () => {
  it('seals the bundle with a key from a file, which verify names', async () => {
    await keygen('--out', 'key');
    const { code, stderr } = await place.run(place.drill('--key', 'key'));
    expect(stderr).toContain('Sealed with SHA256:');
    expect(code).toBe(0);
    const verified = await place.run(['verify', join('evidence', last()), '--allowed-signers', 'signers']);
    expect(verified.stdout).toMatch(/: sound, sealed by \S+@/);
    expect(verified.code).toBe(0);
  });

  it('seals with a key in ssh-agent that a public key names, also by MUSTER_KEY', async () => {
    await keygen('--out', 'key', '--type', 'ecdsa');
    const agent = execFileSync('ssh-agent', ['-a', at('agent'), '-s'], { encoding: 'utf8' });
    const env = { SSH_AUTH_SOCK: at('agent'), MUSTER_KEY: 'key.pub' };
    try {
      execFileSync('ssh-add', ['-q', at('key')], { env: { ...process.env, ...env }, stdio: 'ignore' });
      rmSync(at('key'));
      expect((await place.run(place.drill(), env)).code).toBe(0);
    } finally {
      process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1]));
    }
    expect((await place.run(['verify', join('evidence', last()), '--allowed-signers', 'signers'])).code).toBe(0);
    const gone = await place.run(place.drill(), env);
    expect(gone.code).toBe(2);
    expect(gone.stderr).toMatch(/ssh-agent at/);
  });

  it('refuses a key that cannot be used before anything starts', async () => {
    writeFileSync(at('key'), 'no key');
    const { code, stderr } = await place.run(place.drill('--key', 'key'));
    expect(code).toBe(2);
    expect(stderr).toContain('expected an OpenSSH private key');
    expect(() => place.bundles()).toThrow(/ENOENT/);
  });

  it('says loudly that a bundle is unsigned; seal and pack make up for it', async () => {
    const { stderr } = await place.run(place.drill());
    expect(stderr).toContain('UNSIGNED');
    const bundle = join('evidence', last());
    expect((await place.run(['verify', bundle])).stdout).toMatch(/: sound, UNSIGNED\n/);
    await keygen('--out', 'key');
    const demanded = await place.run(['verify', bundle, '--allowed-signers', 'signers']);
    expect(demanded.stdout).toContain('unsigned: ');
    expect(demanded.code).toBe(1);
    expect((await place.run(['seal', bundle])).stderr).toContain('name the key with --key');
    expect((await place.run(['seal', bundle, '--key', 'key'])).code).toBe(0);
    const packed = await place.run(['pack', bundle]);
    expect(packed.code).toBe(0);
    expect(execFileSync('sha256sum', [at(`${bundle}.zip`)], { encoding: 'utf8' }).slice(0, 64)).toBe(packed.stdout.slice(0, 64));
    const verified = await place.run(['verify', `${bundle}.zip`, '--allowed-signers', 'signers']);
    expect(verified.stdout).toContain('sound, sealed by');
    expect(verified.code).toBe(0);
  });
});

describe('muster verify of many bundles', () => {
  it('says of each what it says of one, in order, and finds the one that is damaged', async () => {
    await keygen('--out', 'key');
    const bundle = await drill('--key', 'key');
    for (let n = 10; n < 30; n += 1) cpSync(at('evidence', bundle), at('evidence', `copy-${n}`), { recursive: true });
    appendFileSync(at('evidence/copy-17/bagit.txt'), 'x');
    const { code, stdout } = await place.run(['verify', 'evidence', '--allowed-signers', 'signers']);
    expect(code).toBe(1);
    const heads = stdout.split('\n').filter((line) => line.startsWith('evidence/'));
    expect(heads.map((line) => line.split(':')[0])).toEqual([`evidence/${bundle}`, ...Array.from({ length: 20 }, (_, n) => `evidence/copy-${n + 10}`)]);
    expect(heads.filter((line) => /: sound, sealed by \S+@/.test(line))).toHaveLength(20);
    expect(stdout).toMatch(/evidence\/copy-17: NOT SOUND, 2 defects\n {2}digest-differs: bagit\.txt/);
    expect(stdout).toContain('20 of 21 bundles are sound.');
    // What none of them proves is said once.
    expect(stdout.match(/not proved\n/g)).toHaveLength(1);
    expect(stdout.match(/One run under one set of conditions/g)).toHaveLength(1);
  });
});

describe('the order of bundles', () => {
  it('shows a bundle that was taken away or replaced, and no verdict depends on it', async () => {
    const first = await drill();
    const failed = await drill('--set', 'exit=7');
    const third = await drill();
    expect([first, failed, third].map(previous)).toEqual([[], [first], [failed]]);
    expect(place.verdict(failed)).toBe('failed');
    await place.run(['pack', join('evidence', first)]);
    const whole = await place.run(['verify', 'evidence']);
    expect(whole.stdout).toContain('4 of 4 bundles are sound, 4 UNSIGNED.');
    expect(whole.code).toBe(0);

    renameSync(at('evidence', failed), at('taken'));
    const missing = await place.run(['verify', 'evidence']);
    expect(missing.stdout).toContain(`predecessor-missing: when it began, the bundle of ${failed} was there; it is gone`);
    expect(missing.code).toBe(1);

    // Another drill under its name is not the one that was followed.
    cpSync(at('evidence', third), at('evidence', failed), { recursive: true });
    expect((await place.run(['verify', 'evidence'])).stdout).toContain('predecessor-missing');
    rmSync(at('evidence', failed), { recursive: true });
    renameSync(at('taken'), at('evidence', failed));
    expect((await place.run(['verify', 'evidence'])).code).toBe(0);
  });

  it('starts anew from every bundle that none follows, and passes over what cannot be read', async () => {
    const first = await drill();
    cpSync(at('evidence', first), at('evidence', `${first.slice(0, -6)}ffffff`), { recursive: true });
    cpSync(at('evidence', first), at('evidence', '20000101T000000Z-rubbish-000000'), { recursive: true });
    rmSync(at('evidence', '20000101T000000Z-rubbish-000000', 'tagmanifest-sha256.txt'));
    writeFileSync(at('evidence', '20000101T000000Z-rubbish-000000', 'data/events.jsonl'), 'rubbish');
    expect(previous(await drill())).toEqual([first, `${first.slice(0, -6)}ffffff`].toSorted());
  });
});
