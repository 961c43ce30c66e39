import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { requireComponent } from '../components/index.js';
import { pgbackrestComponent } from '../components/postgres.js';
import { after, drill, edit, muster, processesWith, remove, removeFolders, root, scratch } from './harness.js';

const mounted: string[] = [];
afterEach(() => {
  for (const folder of mounted.splice(0)) execFileSync('umount', [folder]);
});
afterAll(removeFolders);

const asRoot = process.geteuid?.() === 0;

test('the shipped drill on the sandbox: passed, and a time with Z reached PostgreSQL in a form that it takes', async () => {
  const judged = await drill({ watched: true, environment: (environment) => (environment.stableFor = '2s') });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
  expect(judged.drill.rto.status).toBe('met');
  expect(judged.drill.rpo).toMatchObject({ status: 'met', basis: 'ledger' });
  const [target] = judged.evidence('restore-target');
  expect(target?.requested).toMatch(/Z$/);
  expect(target?.sent).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00$/);
  expect(judged.stdout).toContain('PASSED');
});

test('a time with an offset is the same time', async () => {
  const judged = await drill({
    runbook: (runbook) => {
      after(runbook, 'reference', { id: 'elsewhere', phase: 'inject', uses: 'exec', with: { argv: [process.execPath, '-e', "const [t] = process.argv.slice(1); console.log(new Date(Date.parse(t) + 19_800_000).toISOString().slice(0, 19) + t.slice(19, -1) + '+05:30')", '{{ steps.reference.time }}'], effect: 'read' } });
      edit(runbook, 'restore', { target: { type: 'time', value: '{{ steps.elsewhere.stdout }}' } });
    },
  });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
});

test('`muster plan` starts nothing and writes nothing', async () => {
  const folder = await scratch();
  const outside = await scratch();
  const listing = () => ['bin', 'docs', 'evidence', 'runbooks', 'schemas'].map((part) => join(root, part)).concat(outside).flatMap(listed);
  const before = listing();
  expect(before.length).toBeGreaterThan(50);
  const planned = await muster(folder, ['plan', join(root, 'runbooks/pitr-restore.yaml'), '--env', join(root, 'runbooks/environments/sandbox.yaml')], { env: { TMPDIR: outside } });
  expect(planned.code, planned.stderr).toBe(0);
  expect(planned.stdout).toContain('bad-deploy');
  expect(listing()).toEqual(before);
  // Nothing but what the test itself keeps of its output.
  expect(readdirSync(folder).filter((name) => !/^\d+\.std(out|err)$/.test(name))).toEqual([]);
  expect(processesWith(`HOME=${folder}`)).toEqual([]);
});

test.runIf(asRoot)('as an unprivileged user: passed, in folders of that user', async () => {
  const judged = await drill({ watched: true, uid: 65534 });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
});

test.runIf(asRoot && process.platform === 'linux')('as root, in a checkout that the servers\' user cannot enter: passed', async (context) => {
  const closed = join(await scratch(), 'closed');
  const checkout = join(closed, 'checkout');
  await mkdir(checkout, { recursive: true });
  await chmod(closed, 0o700);
  try {
    execFileSync('mount', ['--bind', root, checkout], { stdio: ['ignore', 'ignore', 'pipe'] });
    mounted.push(checkout);
  } catch {
    process.stderr.write('NOT RUN: a checkout that nobody can enter needs a mount\n');
    context.skip();
  }
  const judged = await drill({ watched: true, checkout });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.drill.verdict).toBe('passed');
});

const describePgbackrest = await requireComponent(pgbackrestComponent);

describePgbackrest('on PostgreSQL 15 and pgBackRest', () => {
  test('the shipped drill: passed', async () => {
    const judged = await drill({ watched: true, on: 'pgbackrest' });
    expect(judged.drill.reasons).toEqual([]);
    expect(judged.drill.verdict).toBe('passed');
    expect(judged.evidence('backup')[0]).toMatchObject({ provider: 'pgbackrest' });
    expect(judged.evidence('restore-target')[0]?.sent).toMatch(/\+00$/);
  });

  test('a restore_command that exits 1 too early, as if the archive ended there: wrong-restore-point', async () => {
    const folder = await scratch();
    const [command, end] = [join(folder, 'pgbackrest'), join(folder, 'end')];
    await writeFile(command, `#!/bin/sh\ncase " $* " in *" archive-get $(cat ${end} 2>/dev/null || echo none) "*) exit 1 ;; *" restore ") set -- "$@" --cmd=${command} ;; esac\nexec /usr/bin/pgbackrest "$@"\n`);
    await chmod(command, 0o755);
    const judged = await drill({
      on: 'pgbackrest',
      environment: ({ connections, boundary }) => {
        const backups = connections['backups'];
        if (backups !== undefined) backups.with = { ...backups.with, command };
        boundary.commands = [...(boundary.commands ?? []), command, 'sh'];
      },
      runbook: (runbook) => {
        after(runbook, 'before', { id: 'first', phase: 'prepare', uses: 'postgres.switch-wal', with: { server: 'source' } }, { id: 'second', phase: 'prepare', uses: 'postgres.switch-wal', with: { server: 'source' } });
        after(runbook, 'second', { id: 'cut', phase: 'prepare', uses: 'exec', with: { shell: 'sh', script: 'echo "$1" > "$2"', argv: ['{{ steps.first.segment }}', end], effect: 'modify', changes: [] } });
        remove(runbook, 'close-wal');
        edit(runbook, 'restore', { target: { type: 'latest' } });
        edit(runbook, 'content', { reference: 'none', snapshot: undefined });
      },
    });
    expect(judged.drill.steps.find(({ id }) => id === 'restore')?.status).toBe('succeeded');
    expect(judged.drill.verdict).toBe('failed');
    expect(judged.codes).toContain('wrong-restore-point');
    expect(judged.why('wrong-restore-point')).toMatch(/replay ended at .*, the source had archived up to/);
  });
});

/** Every file below a folder with its size and time of change. */
function listed(folder: string): string[] {
  const stack = [folder];
  const found: string[] = [];
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined) continue;
    found.push(`${path} ${facts.size} ${facts.mtimeMs}`);
    if (facts.isDirectory()) for (const name of readdirSync(path)) stack.push(join(path, name));
  }
  return found.sort();
}
