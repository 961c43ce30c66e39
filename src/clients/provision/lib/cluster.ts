import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StepError } from '../../../engine/errors.js';
import { confLines, giveTo, writeOwned } from '../../postgres/conf.js';
import type { LocalDetails } from '../../postgres/details.js';
import { asUser } from '../../postgres/owner.js';
import { watchedSettings } from '../../postgres/watched.js';

/** Makes a cluster with data checksums, in UTF-8 and UTC, sorted and speaking the same everywhere. `meanwhile` is called once initdb works. Throws StepError `initdb-failed`. */
export async function makeCluster(local: LocalDetails, superuser: { readonly user: string; readonly password: string }, settings: Readonly<Record<string, string>>, runId: string, signal: AbortSignal, meanwhile: () => void): Promise<void> {
  await mkdir(local.dataDir, { mode: 0o700 });
  await giveTo(local.dataDir, local);
  // A file, because arguments show in the list of processes.
  const passwordFile = join(dirname(local.dataDir), 'initdb-password');
  const args = ['-D', local.dataDir, '-U', superuser.user, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--data-checksums', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  await writeOwned(passwordFile, superuser.password, local);
  let result: { code: number | null; output: string };
  try {
    const working = run(join(local.binDir, 'initdb'), args, local, runId, signal);
    meanwhile();
    result = await working;
  } finally {
    await rm(passwordFile, { force: true });
  }
  const { code, output } = result;
  if (code !== 0) throw new StepError('initdb-failed', `initdb failed: ${output.trim().split('\n').slice(-3).join(' ')}`);
  const conf = join(local.dataDir, 'postgresql.conf');
  const own = confLines({ ...defaults, ...settings, ...watchedSettings(local.version) });
  await writeOwned(conf, `${await readFile(conf, 'utf8')}\n# Set by Muster.\n${own}`, local);
  // Connections come over the loopback only.
  await writeOwned(join(local.dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n', local);
}

const defaults = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'replica',
  track_commit_timestamp: 'on',
  timezone: 'UTC',
  password_encryption: 'scram-sha-256',
} as const;

function run(file: string, args: readonly string[], local: LocalDetails, runId: string, signal: AbortSignal): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC', LANG: 'C.UTF-8', MUSTER_RUN: runId };
    const child = spawn(file, args, { ...asUser(local), cwd: local.dataDir, env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
