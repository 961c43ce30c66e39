import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/engine/package-root.js';
import type { ObservedCheck, Plan } from '../../src/engine/plan-document.js';
import { validator } from '../../src/engine/validators.js';
import { environment, Place, runbook } from './lib.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const at = (name: string): string => join(place.cwd, name);
const pitr = join(packageRoot(), 'runbooks/pitr-restore.yaml');
const sandbox = join(packageRoot(), 'runbooks/environments/sandbox.yaml');

describe('muster plan', () => {
  it('says for each step, in phase order, what is called with what, how long, with which rights, and what undoes it', async () => {
    const { stdout, stderr, code } = await place.run(['plan', pitr, '--env', sandbox]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const ids = ['seed', 'backup', 'before', 'reference', 'bad-deploy', 'after', 'noticed', 'close-wal', 'restore', 'wal-end', 'content', 'switch', 'healthy'];
    const places = ids.map((id) => stdout.search(new RegExp(`^  [ +~!] ${id}  `, 'm')));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    const part = (from: string, to: string) => stdout.slice(stdout.search(new RegExp(`^  [ +~!] ${from}  `, 'm')), stdout.search(new RegExp(`^  [ +~!] ${to}  `, 'm'))).replaceAll(/\s+/g, ' ');
    expect(part('bad-deploy', 'after')).toMatch(/! bad-deploy DESTROYS .*postgres\.sql \{ server: source, sql: DROP TABLE :"table", identifiers: \{table: orders\}, effect: destroy \}.* DROP TABLE .*timeout 30\.0 s.*needs on source: .*OWNERSHIP OF orders/);
    expect(part('restore', 'wal-end')).toMatch(/creates .*value: <steps\.reference\.time>.*backup: the newest backup of backups before the target.*timeout 4h 00m.*undo: stop copy and remove its data directory|creates .*backup: the newest backup of backups before the target.*value: <steps\.reference\.time>.*timeout 4h 00m.*undo: stop copy and remove its data directory/);
    const head = stdout.slice(0, stdout.indexOf('Boundary')).replaceAll(/\s+/g, ' ');
    for (const text of ['RTO 15m 00s, RPO 1m 00s', 'injected', 'ledger, availability, archive, transfers', 'approvals none demanded', 'manual steps none', 'watchers', 'backup, restore-target, wal-end, archive, health-checks, reconciliation must be in the bundle', 'DESTROYS bad-deploy']) expect(head).toContain(text);
    expect(stdout.slice(stdout.indexOf('Known only in the run'))).toContain('restore: target.value = <steps.reference.time>');
  });

  it.each([100, 160])('breaks no line of text for a terminal beyond %i columns', async (columns) => {
    const { createStyle } = await import('../../src/report/style.js');
    const { planText } = await import('../../src/report/plan-text.js');
    const plan = JSON.parse((await place.run(['plan', pitr, '--env', sandbox, '--format', 'json'])).stdout) as Plan;
    const long = planText(plan, createStyle(false), columns).split('\n').filter((line) => line.length > columns);
    expect(long.filter((line) => line.trim().split(' ').every((word) => word.length <= columns - 10))).toEqual([]);
  });

  it('gives JSON that holds to its schema, and Markdown that mentions nobody and fits a comment', async () => {
    const json = await place.run(['plan', pitr, '--env', sandbox, '--format', 'json']);
    const validate = validator('plan');
    expect({ ok: validate(JSON.parse(json.stdout)), errors: validate.errors ?? [] }).toEqual({ ok: true, errors: [] });
    writeFileSync(at('r.yaml'), readFileSync(pitr, 'utf8').replace('title: A row that must survive', 'title: "ask @team | <img src=x>"').replace('owner: platform-team', 'owner: "@org/team"'));
    const { stdout } = await place.run(['plan', 'r.yaml', '--env', sandbox, '--format', 'markdown']);
    expect(stdout.length).toBeLessThan(65_536);
    expect(stdout).toContain('**DESTROYS**');
    expect(stdout).not.toMatch(/@[a-z]/);
    expect(stdout).not.toContain('<img');
  });

  it('tells how long steps took in earlier passed runs of the same runbook in the same environment', async () => {
    expect((await place.run(['plan', runbook, '--env', environment])).stdout).not.toContain('before (');
    await place.run(place.drill());
    await place.run(place.drill('--set', 'exit=1'));
    const [one = ''] = place.bundles();
    const drill = (name: string, change: (drill: { environment: { name: string }; steps: { durationMs: number }[]; verdict: string }) => void) => {
      cpSync(at(`evidence/${one}`), at(`evidence/${name}`), { recursive: true });
      const file = at(`evidence/${name}/data/drill.json`);
      const found = JSON.parse(readFileSync(file, 'utf8')) as Parameters<typeof change>[0];
      change(found);
      writeFileSync(file, JSON.stringify(found));
    };
    drill('20261120T000001Z-commands-aaaaaa', (found) => {
      found.verdict = 'passed';
      for (const step of found.steps) step.durationMs = 5_000;
    });
    drill('20261120T000002Z-commands-aaaaab', (found) => {
      found.verdict = 'passed';
      for (const step of found.steps) step.durationMs = 7_000;
    });
    drill('20261120T000003Z-commands-aaaaac', (found) => {
      found.verdict = 'passed';
      found.environment.name = 'elsewhere';
    });
    mkdirSync(at('evidence/20261120T000004Z-commands-aaaaad'));
    const { stdout } = await place.run(['plan', runbook, '--env', environment, '--format', 'json']);
    const { expected } = (JSON.parse(stdout) as Plan).observed;
    expect(expected?.runs).toBe(3);
    expect(expected?.steps['inject']).toBe(5_000);
    expect((await place.run(['plan', runbook, '--env', environment])).stdout).toMatch(/median of 3 earlier passed runs[^]*took 5\.00 s before/);
    renameSync(at('evidence'), at('other'));
    expect((await place.run(['plan', runbook, '--env', environment, '--evidence-dir', 'other'])).stdout).toContain('median of 3');
  });

  it('touches nothing, not even to look', async () => {
    await place.run(['plan', pitr, '--env', sandbox]);
    expect(readdirSync(place.cwd)).toEqual([]);
  });
});

describe('preflight', () => {
  const checks = (stdout: string): ObservedCheck[] => (JSON.parse(stdout) as Plan).observed.checks;

  it('that fails shows in the plan and refuses the run with 3, before anything is made', async () => {
    writeFileSync(at('r.yaml'), readFileSync(runbook, 'utf8').replace('argv: [sleep, "{{ inputs.verify }}"]', 'argv: [no-such-program]'));
    const plan = await place.run(['plan', 'r.yaml', '--env', environment]);
    expect(plan.code).toBe(0);
    expect(plan.stdout).toMatch(/1 failed.*muster run would refuse this[^]*FAILED {2}step verify: command no-such-program/);
    const { code, stderr } = await place.run(['run', 'r.yaml', '--env', environment]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/refused: preflight: 1 check did not pass\n {2}failed: step verify: command no-such-program: /);
    expect(readdirSync(place.cwd)).toEqual(['r.yaml']);
  });

  it('that could not run refuses only a runbook that demands it to be complete', async () => {
    const drill = readFileSync(runbook, 'utf8').replace('requires: {}', 'requires: { db: postgres }').replace(/ {2}- id: inject[^]*?\n {2}- parallel/, '  - { id: inject, phase: inject, uses: postgres.sql, with: { server: db, sql: "CREATE EXTENSION pgcrypto", effect: destroy } }\n  - parallel');
    writeFileSync(at('r.yaml'), drill);
    writeFileSync(at('strict.yaml'), drill.replace('fault: injected', 'fault: injected\npreflight: complete'));
    writeFileSync(at('e.yaml'), readFileSync(environment, 'utf8').replace('connections: {}', 'connections: { db: { kind: postgres, role: source, provision: embedded-postgres } }'));
    expect(checks((await place.run(['plan', 'r.yaml', '--env', 'e.yaml', '--format', 'json'])).stdout)).toContainEqual({ id: 'statement', step: 'inject', result: 'could-not-run', detail: 'only running it shows what it needs' });
    const strict = await place.run(['run', 'strict.yaml', '--env', 'e.yaml']);
    expect(strict.code).toBe(3);
    expect(strict.stderr).toContain('could not run: step inject: statement');
    const { stdout, stderr, code } = await place.run(['run', 'r.yaml', '--env', 'e.yaml', '--json']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/"type":"preflight.checked","data":\{"detail":"[^"]*clock_timestamp[^"]*","id":"connection db: clock","result":"passed"|"id":"connection db: clock","result":"passed"/);
  });

  it('repeats what was deferred once it is there, and refuses before the fault when it fails', async () => {
    // The table is made by no step: known only once the server is there.
    const drill = readFileSync(runbook, 'utf8').replace('requires: {}', 'requires: { db: postgres }').replace(/ {2}- id: inject[^]*?\n {2}- parallel/, '  - { id: inject, phase: inject, uses: postgres.sql, with: { server: db, sql: "DROP TABLE orders", effect: destroy } }\n  - parallel');
    writeFileSync(at('r.yaml'), drill);
    writeFileSync(at('e.yaml'), readFileSync(environment, 'utf8').replace('connections: {}', 'connections: { db: { kind: postgres, role: source, provision: embedded-postgres } }'));
    const { code, stderr, stdout } = await place.run(['run', 'r.yaml', '--env', 'e.yaml', '--json']);
    expect(stderr).toContain('failed: connection db: owner of orders: there is no table orders (needed by inject)');
    expect(code).toBe(3);
    expect(stdout).not.toContain('fault.sent');
    expect(place.runs()).toEqual([]);
    expect(existsSync(at('evidence'))).toBe(false);
  });
});

describe('a rule that picks a backup', () => {
  /** A repository as the directory provider keeps it; the backups are never read. */
  const repository = (...agesMs: readonly number[]): void => {
    mkdirSync(at('repo/wal'), { recursive: true });
    mkdirSync(at('repo/base'), { recursive: true });
    for (const ageMs of agesMs) {
      const finishedAt = new Date(Date.now() - ageMs).toISOString();
      const name = `b${finishedAt.replaceAll(/\D/g, '')}`;
      mkdirSync(at(`repo/base/${name}`));
      const backup = { name, startedAt: finishedAt, finishedAt, startLsn: '0/2000028', stopLsn: '0/2000100', timeline: 1, systemId: '7', serverVersion: '18.4', origin: 'schedule', sizeBytes: 1_000_000 };
      writeFileSync(at(`repo/base/${name}/manifest.json`), JSON.stringify({ format: 'muster-directory-backup/1', backup, limits: {}, tablespaces: [] }));
    }
  };
  const hour = 3_600_000;
  const documents = (rule: string): void => {
    writeFileSync(
      at('r.yaml'),
      `apiVersion: muster/v1\nkind: Runbook\nmetadata: { name: picks, version: 1.0.0, title: Picks, owner: tests }\nobjectives: {}\nfault: declared\nrequires: { backups: postgres-backups, copy: postgres }\nsteps:\n  - { id: restore, phase: restore, uses: postgres.restore, with: { repository: backups, into: copy, target: { type: immediate }${rule} } }\n`,
    );
    writeFileSync(
      at('e.yaml'),
      `apiVersion: muster/v1\nkind: Environment\nmetadata: { name: picks, sandbox: true }\nconnections:\n  backups: { kind: postgres-backups, role: source, provision: directory, with: { path: ${at('repo')} } }\n  copy: { kind: postgres, role: target, provision: restored-postgres }\nboundary: {}\nrunbooks: any\n`,
    );
  };
  const picked = async (): Promise<ObservedCheck | undefined> => (JSON.parse((await place.run(['plan', 'r.yaml', '--env', 'e.yaml', '--format', 'json'])).stdout) as Plan).observed.checks.find(({ id }) => id === 'backup to use');

  it('is held to its bounds by preflight, which refuses the run', async () => {
    repository();
    documents(', maxAge: 24h');
    expect(await picked()).toMatchObject({ result: 'failed', detail: expect.stringContaining('there is no backup') as string });
    repository(30 * hour);
    expect(await picked()).toMatchObject({ result: 'failed', detail: expect.stringMatching(/1d 06h old; rule: the newest backup of backups before the target, at most 1d 00h old/) as string });
    const { code, stderr } = await place.run(['run', 'r.yaml', '--env', 'e.yaml']);
    expect(code).toBe(3);
    expect(stderr).toContain('step restore: backup to use: ');
    repository(2 * hour);
    expect(await picked()).toMatchObject({ result: 'passed' });
  });

  it('takes a newer backup for the same plan, unless it pins one', async () => {
    const saved = async (file: string) => expect((await place.run(['plan', 'r.yaml', '--env', 'e.yaml', '--out', file])).code).toBe(0);
    const difference = async (file: string) => (await place.run(['run', '--plan', file])).stderr;
    repository(5 * hour);
    documents(', maxAge: 24h');
    await saved('rule.json');
    documents(', maxAge: 24h, pin: exact');
    await saved('exact.json');
    const plan = JSON.parse(readFileSync(at('exact.json'), 'utf8')) as Plan;
    expect(JSON.stringify(plan.binding)).toContain(`"pinned":"${basename(readdirSync(at('repo/base'))[0] ?? '')}"`);
    repository(1 * hour);
    expect(await difference('exact.json')).toMatch(/not what the plan says[^]*~ step restore: selection\.pinned b\d+ -> b\d+/);
    documents(', maxAge: 24h');
    expect(await difference('rule.json')).not.toContain('not what the plan says');
  });
});

describe('muster diff', () => {
  it('exits 0 for plans that say the same, 1 for others, and shows what stands out', async () => {
    const args = ['plan', runbook, '--set', 'token=c4n4ry'];
    await place.run([...args, '--env', environment, '--out', 'a.json']);
    await place.run([...args, '--env', environment, '--out', 'b.json']);
    writeFileSync(at('e.yaml'), readFileSync(environment, 'utf8').replace('[sh, sleep]', '[sh, sleep, rm]'));
    await place.run([...args, '--env', 'e.yaml', '--set', 'size=5', '--out', 'c.json']);
    const same = await place.run(['diff', 'a.json', 'b.json']);
    expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining('say the same') as string });
    const other = await place.run(['diff', 'a.json', 'c.json']);
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(/input size\n {2}~ 3 -> 5[^]*boundary\n {2}\+ commands \+ rm\n {4}! the boundary is widened/);
    expect((await place.run(['diff', 'a.json', 'c.json', '--format', 'markdown'])).stdout).toContain(':warning: **the boundary is widened**');
    expect(JSON.parse((await place.run(['diff', 'a.json', 'c.json', '--format', 'json'])).stdout)).toMatchObject({ differences: expect.arrayContaining([expect.objectContaining({ area: 'boundary', kind: 'added', after: 'rm' })]) as unknown });
    expect((await place.run(['diff', 'a.json', 'nowhere.json'])).code).toBe(2);
  });
});

describe('muster doctor', () => {
  it('checks this machine and an environment, changes nothing, and exits 1 when something failed', async () => {
    const well = await place.run(['doctor', '--env', sandbox, '--json']);
    expect(well.code).toBe(0);
    const { checks } = JSON.parse(well.stdout) as { checks: ObservedCheck[] };
    for (const id of ['this machine: Node.js', 'this machine: git', 'this machine: ssh-keygen', 'this machine: PostgreSQL from npm', 'this machine: state directory', 'connection source: PostgreSQL binaries']) expect(checks).toContainEqual(expect.objectContaining({ id, result: 'passed' }));
    expect(checks).toContainEqual(expect.objectContaining({ id: 'connection source: reachable', result: 'deferred' }));
    expect(readdirSync(place.cwd)).toEqual([]);
    writeFileSync(at('e.yaml'), readFileSync(sandbox, 'utf8').replace('provision: embedded-postgres, with: { archiveTo: backups }', 'provision: existing-postgres, with: { host: 127.0.0.1, port: 1, database: app, user: x }').replace('restored-postgres }', 'restored-postgres, with: { binaries: /nowhere/bin } }'));
    const ill = await place.run(['doctor', '--env', 'e.yaml']);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toMatch(/FAILED {2}connection source: reachable: .*127\.0\.0\.1:1/);
    expect(ill.stdout).toMatch(/FAILED {2}connection copy: PostgreSQL binaries/);
    expect((await place.run(['doctor'], { PATH: join(place.cwd, 'empty') })).stdout).toMatch(/FAILED {2}this machine: ssh-keygen/);
  });
});
