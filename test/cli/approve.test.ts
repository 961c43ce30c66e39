import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/engine/canonical.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { planDigest } from '../../src/engine/plan.js';
import type { Plan } from '../../src/engine/plan-document.js';
import { environment, Place, runbook } from './lib.js';

let place: Place;
const at = (name: string): string => join(place.cwd, name);
const secret = ['--set', 'pass=c4n4ry'];

/** A key made by ssh-keygen, and its public line. */
function keygen(name: string, ...options: string[]): string {
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', name, '-f', at(name), ...options]);
  return readFileSync(at(`${name}.pub`), 'utf8').trim().split(' ').slice(0, 2).join(' ');
}

function environmentWith(approvals: string): void {
  writeFileSync(at('e.yaml'), `${readFileSync(environment, 'utf8')}approvals: ${approvals}\n`);
}

const plan = (...more: string[]) => place.run(['plan', 'r.yaml', '--env', 'e.yaml', '--out', 'plan.json', ...secret, ...more]);
const approve = (key: string, ...more: string[]) => place.run(['approve', 'plan.json', '--key', key, ...more]);
const run = (...more: string[]) => place.run(['run', '--plan', 'plan.json', ...secret, ...more]);

beforeEach(() => {
  place = new Place();
  // Its own script, so that its content is part of the plan.
  writeFileSync(at('probe.sh'), 'exit 0\n');
  writeFileSync(at('r.yaml'), readFileSync(runbook, 'utf8').replace(`argv: [sleep, "{{ inputs.verify }}"]`, 'argv: [sh, probe.sh]').replaceAll('token', 'pass'));
  const alice = keygen('alice', '-t', 'ed25519');
  const bob = keygen('bob', '-t', 'ecdsa', '-b', '256');
  const operator = keygen('operator', '-t', 'ed25519');
  keygen('mallory', '-t', 'ed25519');
  writeFileSync(at('signers'), `alice@example.org namespaces="muster-approval" ${alice}\nbob@example.org ${bob}\n${userInfo().username}@example.org ${operator}\n`);
  environmentWith('{ required: 2, allowedSigners: signers }');
});
afterEach(() => place.remove());

describe('muster approve', () => {
  it('writes what ssh-keygen takes, for ed25519, ecdsa and ssh-agent, and the run relies on it', async () => {
    expect((await plan()).code).toBe(0);
    const ed25519 = await approve('alice');
    expect(ed25519).toMatchObject({ code: 0, stdout: 'plan.json.approval-alice@example.org.json\n' });
    expect(ed25519.stderr).toMatch(/Approved as alice@example\.org \(SHA256:\S+\): A drill of commands, commands 1\.0\.0 in commands; destroying: inject/);

    const agent = execFileSync('ssh-agent', ['-a', at('agent.sock'), '-s'], { encoding: 'utf8' });
    try {
      execFileSync('ssh-add', ['-q', at('bob')], { env: { ...process.env, SSH_AUTH_SOCK: at('agent.sock') }, stdio: 'ignore' });
      expect((await place.run(['approve', 'plan.json', '--key', 'bob.pub'], { SSH_AUTH_SOCK: at('agent.sock') })).code).toBe(0);
    } finally {
      process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1]));
    }
    for (const who of ['alice@example.org', 'bob@example.org']) {
      const file = `plan.json.approval-${who}.json`;
      const verified = spawnSync('ssh-keygen', ['-Y', 'verify', '-f', 'signers', '-I', who, '-n', 'muster-approval', '-s', `${file}.sig`], { cwd: place.cwd, input: readFileSync(at(file)), encoding: 'utf8' });
      expect({ who, status: verified.status, stderr: verified.stderr }).toEqual({ who, status: 0, stderr: '' });
    }
    // The digest that they signed is one that anybody can compute.
    const { digest } = JSON.parse(readFileSync(at('plan.json'), 'utf8')) as Plan;
    expect(execFileSync('sh', ['-c', 'jq -cjS .binding plan.json | sha256sum | cut -c1-64'], { cwd: place.cwd, encoding: 'utf8' }).trim()).toBe(digest);
    expect(readFileSync(at('plan.json.approval-alice@example.org.json'), 'utf8')).toContain(`"plan":"${digest}"`);

    const ran = await run();
    expect({ code: ran.code, stderr: ran.code === 0 ? '' : ran.stderr }).toEqual({ code: 0, stderr: '' });
    const [bundle = ''] = place.bundles();
    const folder = at(join('evidence', bundle));
    expect(readdirSync(join(folder, 'sig')).toSorted()).toEqual(['approval-alice@example.org.json', 'approval-alice@example.org.json.sig', 'approval-bob@example.org.json', 'approval-bob@example.org.json.sig']);
    const events = readFileSync(join(folder, 'data/events.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as DrillEvent);
    const relied = events.flatMap((event) => (event.type === 'plan.approved' ? [event.data] : []));
    expect(relied.map(({ who }) => who)).toEqual(['alice@example.org', 'bob@example.org']);
    for (const { file, approval, signature } of relied) {
      expect(sha256(readFileSync(join(folder, 'sig', file)))).toBe(approval);
      expect(sha256(readFileSync(join(folder, 'sig', `${file}.sig`)))).toBe(signature);
    }
    expect(events.find((event) => event.type === 'run.started')).toMatchObject({ data: { plan: digest } });
    expect((await place.run(['verify', folder])).code).toBe(0);

    rmSync(join(folder, 'sig', 'approval-bob@example.org.json'));
    rmSync(join(folder, 'sig', 'approval-bob@example.org.json.sig'));
    const without = await place.run(['verify', folder]);
    expect(without.code).toBe(1);
    expect(without.stdout).toContain('the run relied on this approval by bob@example.org, and it is not there');
  });

  it('warns whoever signs with a key that will not count, and overwrites no approval', async () => {
    await plan();
    expect((await approve('mallory', '--as', 'alice@example.org')).stderr).toContain('stands in no line of the environment\'s allowed signers');
    const again = await approve('alice');
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('the approval cannot be written');
  });

  it('takes no plan whose binding was changed, and no file that is none', async () => {
    await plan();
    writeFileSync(at('plan.json'), readFileSync(at('plan.json'), 'utf8').replace('"size": 3', '"size": 4'));
    const changed = await approve('alice');
    expect(changed.code).toBe(3);
    expect(changed.stderr).toContain('plan.json was changed');
    expect((await run()).code).toBe(3);
    writeFileSync(at('plan.json'), '{}');
    expect((await approve('alice')).code).toBe(2);
    expect(existsSync(at('plan.json.approval-alice@example.org.json'))).toBe(false);
  });
});

describe('muster run --plan', () => {
  const approved = async (): Promise<void> => {
    expect((await plan()).code).toBe(0);
    expect((await approve('alice')).code).toBe(0);
    expect((await approve('bob')).code).toBe(0);
  };
  const refused = async (...more: string[]): Promise<string> => {
    const { code, stderr, stdout } = await run(...more);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(existsSync(place.state) && place.runs().length > 0).toBe(false);
    expect(existsSync(at('evidence'))).toBe(false);
    return stderr;
  };

  it.each([
    ['the runbook', () => writeFileSync(at('r.yaml'), readFileSync(at('r.yaml'), 'utf8').replace('effect: destroy', 'effect: modify')), /~ step inject: effect destroy -> modify[^]*~ runbook: sha256|~ runbook: sha256[^]*~ step inject: effect destroy -> modify/],
    ['the runbook, into one that cannot be planned', () => writeFileSync(at('r.yaml'), readFileSync(at('r.yaml'), 'utf8').replace('uses: exec', 'uses: exce')), /runbook .*r\.yaml: sha256 \w+ -> \w+[^]*there is no step type "exce"/],
    ['the environment', () => writeFileSync(at('e.yaml'), readFileSync(at('e.yaml'), 'utf8').replace('[sh, sleep]', '[sh, sleep, rm]')), /\+ boundary: commands \+ rm \(! the boundary is widened\)/],
    ['a script', () => writeFileSync(at('probe.sh'), 'rm -rf /nowhere\n'), /step verify: files .*probe\.sh.*\(! the content of a script changes\)/],
    ['the allowed signers', () => writeFileSync(at('signers'), `${readFileSync(at('signers'), 'utf8')}# one more\n`), /~ approvals: allowedSigners\.sha256 \w+ -> \w+ \(! other keys count\)/],
  ])('refuses when %s was changed, and says what differs', async (_what, change, message) => {
    await approved();
    change();
    expect(await refused()).toMatch(message);
  });

  it('refuses other inputs, and another version of Muster', async () => {
    await approved();
    expect(await refused('--set', 'size=7')).toContain('~ input size: 3 -> 7');
    const saved = JSON.parse(readFileSync(at('plan.json'), 'utf8')) as Plan;
    const binding = { ...saved.binding, tool: '0.0.1' };
    writeFileSync(at('plan.json'), JSON.stringify({ ...saved, binding, digest: planDigest(binding) }));
    expect(await refused()).toMatch(/~ muster: version 0\.0\.1 -> \d/);
  });

  it('counts only approvals of this plan, by allowed signers, once each, and not the operator\'s', async () => {
    await plan();
    expect(await refused()).toContain('demands 2 approvals of this plan, and there are 0');
    await approve('alice');
    await approve('alice', '--as', 'somebody-else');
    await approve('operator');
    await approve('mallory', '--as', 'carol');
    const said = await refused();
    expect(said).toContain('demands 2 approvals of this plan, and there is 1');
    expect(said).toContain('approval-somebody-else.json: alice@example.org has approved already');
    expect(said).toContain(`${userInfo().username}@example.org runs the drill, and the environment demands somebody else`);
    expect(said).toMatch(/approval-carol\.json: the key SHA256:\S+ is none of the allowed signers/);

    // Another plan of the same drill, with alice's approval of the first beside it.
    cpSync(at('plan.json.approval-alice@example.org.json'), at('other.json.approval-alice@example.org.json'));
    cpSync(at('plan.json.approval-alice@example.org.json.sig'), at('other.json.approval-alice@example.org.json.sig'));
    await place.run(['plan', 'r.yaml', '--env', 'e.yaml', '--out', 'other.json', '--set', 'size=9', ...secret]);
    const { code, stderr } = await place.run(['run', '--plan', 'other.json', ...secret]);
    expect(code).toBe(3);
    expect(stderr).toContain('it approves another plan');

    writeFileSync(at('plan.json.approval-bob@example.org.json'), readFileSync(at('plan.json.approval-alice@example.org.json')));
    writeFileSync(at('plan.json.approval-bob@example.org.json.sig'), 'not a signature');
    expect(await refused()).toContain('its signature cannot be read');
  });

  it('lets the operator be one of them where the environment says so, and only those whom it names', async () => {
    environmentWith('{ required: 1, allowedSigners: signers, operatorMayApprove: true, by: [bob@example.org, ' + `${userInfo().username}@example.org] }`);
    await plan();
    await approve('alice');
    expect(await refused()).toContain('alice@example.org is none of those who may approve');
    await approve('operator');
    expect((await run()).code).toBe(0);
  });

  it('is the only way where approvals are demanded, and needs the secrets that no plan holds', async () => {
    const direct = await place.run(['run', 'r.yaml', '--env', 'e.yaml', ...secret]);
    expect(direct.code).toBe(3);
    expect(direct.stderr).toContain('demands 2 approvals');
    await approved();
    const without = await place.run(['run', '--plan', 'plan.json']);
    expect(without.code).toBe(2);
    expect(without.stderr).toContain('input "pass"');
    expect((await place.run(['run', ...secret])).stderr).toContain('give a runbook and --env, or a plan with --plan');
  });

  it('finds the documents from another folder, and where they are said to be', async () => {
    environmentWith('{ required: 0 }');
    mkdirSync(at('plans'));
    await place.run(['plan', 'r.yaml', '--env', 'e.yaml', '--out', 'plans/p.json', ...secret]);
    expect((await place.run(['run', '--plan', 'plans/p.json', ...secret])).code).toBe(0);
    mkdirSync(at('moved'));
    for (const name of ['r.yaml', 'e.yaml', 'probe.sh']) cpSync(at(name), at(join('moved', name)));
    for (const name of ['r.yaml', 'e.yaml']) rmSync(at(name));
    expect((await place.run(['run', 'moved/r.yaml', '--env', 'moved/e.yaml', '--plan', 'plans/p.json', ...secret])).code).toBe(0);
  });
});

it('an environment that demands approvals must say whose', async () => {
  environmentWith('{ required: 1 }');
  const { code, stderr } = await place.run(['validate', 'e.yaml']);
  expect(code).toBe(2);
  expect(stderr + (await place.run(['validate', 'e.yaml'])).stdout).toContain('nothing says whose signatures count');
  environmentWith('{ required: 1, allowedSigners: nowhere }');
  const unread = await plan();
  expect(unread.code).toBe(2);
  expect(unread.stderr).toMatch(/e\.yaml:\d+:\d+: cannot read the allowed signers/);
});
