import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/engine/package-root.js';
import type { Component } from './index.js';
import { debianPackages } from './debian.js';

const execute = promisify(execFile);
const python = '/usr/bin/python3';
const tool = join(packageRoot(), 'tools/moto.js');
let modules: string | undefined;

/** AWS as python3-moto plays it: of Debian's sid, only unpacked (tools/moto.js), on the libraries of this Debian. */
export const motoComponent: Component = {
  name: 'moto',
  async obtain() {
    if (!existsSync('/etc/debian_version')) return 'It is unpacked from a Debian package: run these suites on Debian 12.';
    const libraries = (await execute(process.execPath, [tool, '--packages'])).stdout.trim().split(' ');
    const missing = await debianPackages(libraries, '/usr/lib/python3/dist-packages/responses/__init__.py');
    if (missing !== undefined) return missing;
    try {
      modules = (await execute(process.execPath, [tool])).stdout.trim();
      await execute(python, ['-c', 'import moto.server'], { env: environment() });
      return undefined;
    } catch (error) {
      return `node tools/moto.js failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  },
};

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: tmpdir(), PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1', MOTO_EC2_LOAD_DEFAULT_AMIS: 'false' };
}

export interface Moto {
  readonly endpoint: string;
  /** The usual AWS variables; moto takes any credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Forgets everything. */
  reset(): Promise<void>;
  /** From now on (or no longer) an action is done only for a user whom IAM allows it. */
  enforce(on: boolean): Promise<void>;
  stop(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  for (let tries = 1; ; tries += 1) {
    const moto = await startOn(await freePort());
    if ('endpoint' in moto) return moto;
    // Somebody else was faster to take the port.
    if (tries === 5 || !/Address already in use|in use by another program/.test(moto.said)) throw new Error(`moto ended: ${moto.said}`);
  }
}

async function startOn(port: number): Promise<Moto | { readonly said: string }> {
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  let over = false;
  const ended = once(child, 'close').then(() => (over = true));
  const endpoint = `http://127.0.0.1:${port}`;
  // Its own words: what answers on the port may be of somebody else.
  while (!(said.includes('Running on') && (await answers(endpoint)))) {
    if (over) return { said };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    endpoint,
    env: { AWS_ENDPOINT_URL: endpoint, AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'c4n4ry-of-aws' },
    async reset() {
      await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' });
    },
    async enforce(on) {
      await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', body: on ? '0' : 'inf' });
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/moto-api/`).then(({ ok }) => ok, () => false);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
