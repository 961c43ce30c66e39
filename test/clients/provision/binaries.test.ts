import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ownerOfServers } from '../../../src/clients/postgres/owner.js';
import { npmBinaries, reachable } from '../../../src/clients/provision/lib/binaries.js';

const root = process.geteuid?.() === 0;
let folder: string;
let native: string;
let cache: string;

/** The npm package as it stands before its postinstall script, below a folder that only its owner may enter. */
function hiddenPackage(): string {
  const hidden = join(folder, 'home');
  mkdirSync(hidden, { mode: 0o700 });
  const native = join(hidden, 'native');
  cpSync(npmBinaries(), native, { recursive: true, verbatimSymlinks: true });
  cpSync(join(dirname(npmBinaries()), 'package.json'), join(hidden, 'package.json'));
  for (const link of JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[]) rmSync(join(hidden, link.target), { force: true });
  return native;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-test-'));
  chmodSync(folder, 0o755);
  native = hiddenPackage();
});

beforeEach(() => {
  cache = mkdtempSync(join(folder, 'cache-'));
  chmodSync(cache, 0o755);
});

afterEach(() => rmSync(cache, { recursive: true, force: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the PostgreSQL that npm brought', () => {
  it('is copied once, whole and with its library links, to where the user of the server can run it', async () => {
    const owner = await ownerOfServers();
    const copy = await reachable(native, owner, cache);
    expect(dirname(copy)).toBe(cache);
    const said = execFileSync(join(copy, 'bin', 'postgres'), ['--version'], { encoding: 'utf8', cwd: '/', ...(owner.uid === null ? {} : { uid: owner.uid, gid: owner.gid ?? 0 }) });
    expect(said).toMatch(/PostgreSQL\) 18\./);
    const inode = statSync(copy).ino;
    expect(await reachable(native, owner, cache)).toBe(copy);
    expect(statSync(copy).ino).toBe(inode);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  it('is copied again when the copy has lost a file', async () => {
    const owner = await ownerOfServers();
    const copy = await reachable(native, owner, cache);
    rmSync(join(copy, 'bin', 'initdb'));
    expect(await reachable(native, owner, cache)).toBe(copy);
    expect(statSync(join(copy, 'bin', 'initdb')).mode & 0o111).toBe(0o111);
  });

  it('is not taken from a folder that others can write', async () => {
    const owner = await ownerOfServers();
    const copy = await reachable(native, owner, cache);
    chmodSync(copy, 0o777);
    await expect(reachable(native, owner, cache)).rejects.toMatchObject({ code: 'foreign-folder' });
  });

  it.runIf(root)('is not taken from a folder that another user has planted', async () => {
    const owner = await ownerOfServers();
    const copy = await reachable(native, owner, cache);
    chownSync(copy, 65534, 65534);
    await expect(reachable(native, owner, cache)).rejects.toMatchObject({ code: 'foreign-folder' });
  });

  it('is used in place where it can be', async () => {
    const owner = await ownerOfServers();
    const copy = await reachable(native, owner, cache);
    expect(await reachable(copy, owner, cache)).toBe(copy);
    expect(readdirSync(cache)).toHaveLength(1);
  });
});
