import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LocalDetails, PostgresDetails } from '../../../src/clients/postgres/details.js';
import { serverProcesses } from '../../../src/clients/postgres/processes.js';
import { allProcesses, identityOf } from '../../../src/clients/process/identity.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';

const root = process.geteuid?.() === 0;
let here: PostgresWorld;

async function server(input: Record<string, unknown> = {}): Promise<PostgresDetails & { readonly local: LocalDetails }> {
  const details = (await here.provision('source', 'embedded-postgres', 'source', input)) as unknown as PostgresDetails;
  if (details.local === undefined) throw new Error('not local');
  return { ...details, local: details.local };
}

async function version(connection: string): Promise<unknown> {
  const session = await here.port.connect({ connection }, { effect: 'read' });
  const { rows } = await session.query("SELECT current_setting('data_checksums') AS checksums, current_setting('wal_level') AS wal, current_setting('track_commit_timestamp') AS stamps, current_setting('TimeZone') AS zone, current_setting('server_encoding') AS encoding");
  await session.close();
  return rows[0];
}

afterEach(() => here.close());

describe('a server of our own', () => {
  it('has what a drill needs, and leaves no process and no file behind', async () => {
    here = await postgresWorld();
    const { local } = await server();
    expect(await version('source')).toEqual({ checksums: 'on', wal: 'replica', stamps: 'on', zone: 'UTC', encoding: 'UTF8' });
    const running = (await serverProcesses(local.dataDir)).all;
    expect(running.length).toBeGreaterThan(1);
    expect(statSync(local.dataDir).mode & 0o777).toBe(0o700);
    await here.close();
    for (const { pid, startTime } of running) expect((await identityOf(pid))?.startTime).not.toBe(startTime);
    expect(existsSync(local.dataDir)).toBe(false);
  });

  it.runIf(root)('runs as a user that is not root, also where that user cannot enter the work folder', async () => {
    here = await postgresWorld({ parentMode: 0o700 });
    const { local } = await server();
    expect(local.dataDir.startsWith(here.folder)).toBe(false);
    const { postmaster } = await serverProcesses(local.dataDir);
    expect(readFileSync(`/proc/${postmaster?.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    await here.close();
    expect(existsSync(local.dataDir)).toBe(false);
  });

  it('starts and stops again, with settings for one start and a log of its own for each', async () => {
    here = await postgresWorld();
    await server();
    const local = here.port.local('source');
    await local.stop('fast');
    expect(await local.running()).toBe(false);
    const identity = await local.start({ settings: { work_mem: '7MB' }, wait: 'promoted', timeoutMs: 60_000 });
    expect(await identityOf(identity.pid)).toEqual(identity);
    const session = await here.port.connect({ connection: 'source' }, { effect: 'read' });
    expect((await session.query("SELECT current_setting('work_mem') AS v")).rows).toEqual([{ v: '7MB' }]);
    await session.close();
    expect((await local.logLines()).filter((line) => line.includes('database system is ready'))).toHaveLength(1);
    await expect(local.start({ wait: 'accepting', timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'postgres-runs-already' });
  });

  it('says what its log says when it cannot start', async () => {
    here = await postgresWorld();
    const { port } = await server();
    const local = here.port.local('source');
    await local.stop('fast');
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    await expect(local.start({ wait: 'accepting', timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'postgres-start-failed',
      message: expect.stringContaining('FATAL: could not create any TCP/IP sockets') as string,
      hint: expect.stringContaining('taken the port') as string,
    });
    await new Promise((resolve) => other.close(resolve));
    await expect(local.start({ settings: { no_such_setting: '1' }, wait: 'accepting', timeoutMs: 60_000 })).rejects.toMatchObject({
      message: expect.stringContaining('unrecognized configuration parameter "no_such_setting"') as string,
    });
  });

  it('never ends another process whose pid stands in its postmaster.pid', async () => {
    here = await postgresWorld();
    const { local } = await server();
    await here.port.local('source').stop('fast');
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    writeFileSync(join(local.dataDir, 'postmaster.pid'), `${bystander.pid}\n${local.dataDir}\n0\n1\n\n127.0.0.1\n\nready   \n`);
    expect(await here.port.local('source').running()).toBe(false);
    await here.port.local('source').stop('immediate');
    await here.close();
    expect(bystander.exitCode ?? bystander.signalCode).toBe(null);
    bystander.kill();
  });

  it('is ended by its cleanup also when its postmaster was killed and its children live on', async () => {
    here = await postgresWorld();
    const { local } = await server();
    const session = await here.port.connect({ connection: 'source' }, { effect: 'read' });
    const { postmaster, all } = await serverProcesses(local.dataDir);
    if (postmaster === undefined) throw new Error('no postmaster');
    const children = all.filter(({ pid }) => pid !== postmaster.pid);
    expect(children.length).toBeGreaterThan(1);
    for (const { pid } of children) process.kill(pid, 'SIGSTOP');
    process.kill(postmaster.pid, 'SIGKILL');
    await vi.waitUntil(async () => (await identityOf(postmaster.pid)) === undefined);
    await here.close();
    await session.close();
    const left = new Set((await allProcesses()).filter(({ ended }) => !ended).map(({ pid, startTime }) => `${pid} ${startTime}`));
    expect(children.filter(({ pid, startTime }) => left.has(`${pid} ${startTime}`))).toEqual([]);
  });

  it('is left alone by a cleanup that finds another folder under its name', async () => {
    here = await postgresWorld();
    const { local } = await server();
    await here.port.local('source').stop('fast');
    const place = join(local.dataDir, '..');
    renameSync(place, `${place}-moved`);
    mkdirSync(place);
    writeFileSync(join(place, 'precious'), '');
    const [registered] = here.cleanups;
    expect(registered?.identity).toMatchObject({ inode: statSync(`${place}-moved`).ino });
    await here.cleanUp();
    expect(existsSync(join(place, 'precious'))).toBe(true);
    expect(here.logged.join()).toContain('left alone');
  });
});

describe('tablespaces', () => {
  it('go with a copy to a place of their own, never to where the source has them', async () => {
    here = await postgresWorld();
    await here.provision('backups', 'directory', 'source');
    const { local } = await server({ archiveTo: 'backups' });
    const theirs = join(local.dataDir, '..', 'more');
    mkdirSync(theirs, { mode: 0o700 });
    if (root) chownSync(theirs, local.uid ?? 0, local.gid ?? 0);
    const session = await here.port.connect({ connection: 'source' }, { effect: 'modify' });
    await session.query(`CREATE TABLESPACE more LOCATION '${theirs}'`);
    await session.query('CREATE TABLE spread (n int) TABLESPACE more');
    await session.query('INSERT INTO spread SELECT generate_series(1, 1000)');
    await here.port.repository('backups').backup('source', new AbortController().signal);
    await session.query('SELECT pg_switch_wal()');
    await session.close();
    await here.provision('copy', 'restored-postgres', 'target');
    await here.port.repository('backups').prepareRestore({ into: 'copy', backup: 'latest-before-target', target: { type: 'immediate' }, timeline: 'current', settings: {} }, new AbortController().signal);
    await here.port.local('copy').start({ wait: 'promoted', timeoutMs: 60_000 });
    const copy = await here.port.connect({ connection: 'copy' }, { effect: 'read' });
    const { rows } = await copy.query<{ n: string; place: string }>("SELECT (SELECT count(*) FROM spread)::text AS n, pg_tablespace_location(oid) AS place FROM pg_tablespace WHERE spcname = 'more'");
    await copy.close();
    expect(rows).toEqual([{ n: '1000', place: expect.stringContaining('/copy/tablespaces/') as string }]);
  });
});
