import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Component } from './index.js';
import { debianPackages } from './debian.js';

const execute = promisify(execFile);
const python = '/usr/bin/python3';
const version = '5.2.4-2';
const needs = ['boto3', 'cryptography', 'flask', 'flask-cors', 'requests', 'responses', 'werkzeug', 'xmltodict', 'jinja2', 'dateutil', 'yaml'].map((name) => `python3-${name}`);
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Kept from one run of the tests to the next. */
const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muster-tests', `moto-${version}`);
const modules = join(folder, 'usr/lib/python3/dist-packages');

/** AWS as python3-moto plays it: of Debian's sid, only unpacked, on the libraries of this Debian. */
export const motoComponent: Component = {
  name: 'moto',
  async obtain() {
    const missing = await debianPackages(needs, '/usr/lib/python3/dist-packages/responses/__init__.py');
    if (missing !== undefined) return missing;
    try {
      if (!existsSync(join(modules, 'moto'))) await unpack();
      await execute(python, ['-c', 'import moto.server'], { env: environment() });
      return undefined;
    } catch (error) {
      return `python3-moto ${version} of Debian's sid could not be unpacked to ${folder}: ${error instanceof Error ? error.message : String(error)}`;
    }
  },
};

/** With lists and sources of its own: nothing of sid is ever installed. */
async function unpack(): Promise<void> {
  process.stderr.write(`unpacking for the tests: python3-moto=${version}\n`);
  const work = await mkdtemp(join(tmpdir(), 'muster-moto-'));
  try {
    await mkdir(join(work, 'lists/partial'), { recursive: true });
    await mkdir(join(work, 'cache/archives/partial'), { recursive: true });
    await writeFile(join(work, 'sources.list'), `deb [signed-by=${keyring}] http://deb.debian.org/debian sid main\n`);
    await writeFile(join(work, 'status'), '');
    const own = Object.entries({ 'Dir::Etc::SourceList': 'sources.list', 'Dir::State::Lists': 'lists', 'Dir::Cache': 'cache', 'Dir::State::status': 'status' });
    const options = [...own.map(([name, path]) => `${name}=${join(work, path)}`), 'Dir::Etc::SourceParts=/dev/null', 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
    await execute('apt-get', [...options, 'update'], { maxBuffer: 1 << 26 });
    await execute('apt-get', [...options, 'download', `python3-moto=${version}`], { cwd: work });
    const [file = ''] = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    await execute('dpkg', ['-x', file, 'unpacked'], { cwd: work });
    // Whole or not at all, also where two suites unpack it.
    await mkdir(join(folder, '..'), { recursive: true });
    const fresh = `${folder}.${process.pid}`;
    await cp(join(work, 'unpacked'), fresh, { recursive: true });
    await rename(fresh, folder).catch(async (error: unknown) => {
      await rm(fresh, { recursive: true, force: true });
      if (!existsSync(join(modules, 'moto'))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: tmpdir(), PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1', MOTO_EC2_LOAD_DEFAULT_AMIS: 'false' };
}

export interface Moto {
  readonly endpoint: string;
  /** The usual AWS variables; moto takes any credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Forgets everything. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  const port = await freePort();
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'exit');
  const endpoint = `http://127.0.0.1:${port}`;
  while (!(await answers(endpoint))) {
    if (child.exitCode !== null) throw new Error(`moto ended (${child.exitCode}): ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    endpoint,
    env: { AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'c4n4ry-of-aws' },
    async reset() {
      await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' });
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
