import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import type { PostgresDetails } from '../../../src/clients/postgres/details.js';
import { postgresPort, postgresShared } from '../../../src/clients/postgres/adapter.js';
import { Redactor } from '../../../src/engine/redact.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';
import { scopeFor } from '../lib/scope.js';

let here: PostgresWorld;
let details: PostgresDetails;
let password: string;

beforeAll(async () => {
  here = await postgresWorld();
  await here.provision('backups', 'directory', 'source');
  details = (await here.provision('source', 'embedded-postgres', 'source', { archiveTo: 'backups' })) as unknown as PostgresDetails;
  await here.provision('copy', 'restored-postgres', 'target');
  password = await readFile(join(here.folder, 'postgres-password'), 'utf8');
});
afterAll(() => here.close());

async function connects(port: number, given: Partial<pg.ClientConfig>): Promise<string> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'app', ...given });
  try {
    await client.connect();
    return 'connected';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const login = async (connection: string): Promise<unknown> => {
  const session = await here.port.connect({ connection }, { effect: 'read' });
  try {
    return (await session.query('SELECT current_user')).rows[0];
  } finally {
    await session.close();
  }
};

describe('a server that a run makes', () => {
  it('lets nobody in without the password of the run', async () => {
    expect(await connects(details.port, { password: 'postgres' })).toBe('28P01');
    expect(await connects(details.port, { password: '' })).not.toBe('connected');
    expect(await connects(details.port, { password })).toBe('connected');
  });

  it('keeps it in files that only their owner reads, and out of what is journaled and listed', async () => {
    for (const file of [join(here.folder, 'postgres-password'), details.passFile ?? '']) expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.stringify([...here.world.connections])).not.toContain(password);
    const { stdout } = await promisify(execFile)('ps', ['-eww', '-o', 'args=']);
    expect(stdout).not.toContain(password);
    expect(here.secrets).toContain(password);
  });

  it('is entered by Muster, also by another process of it, which then hides the password', async () => {
    expect(await login('source')).toEqual({ current_user: 'postgres' });
    const redactor = new Redactor();
    const session = await postgresPort(scopeFor(), here.world, postgresShared(redactor)).connect({ connection: 'source' }, { effect: 'read' });
    await session.close();
    expect(redactor.text(`x ${password}`)).toBe('x [redacted]');
  });

  it('gives its roles to its copies', async () => {
    const signal = new AbortController().signal;
    const backup = await here.port.repository('backups').backup('source', signal);
    await here.port.repository('backups').prepareRestore({ into: 'copy', backup: backup.name, target: { type: 'immediate' }, timeline: 'current', settings: {} }, signal);
    await here.port.local('copy').start({ wait: 'promoted', timeoutMs: 60_000 });
    expect(await login('copy')).toEqual({ current_user: 'postgres' });
    expect(await connects(Number(here.world.connections.get('copy')?.details['port']), { password: 'postgres' })).toBe('28P01');
  });
});
