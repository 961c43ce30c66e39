import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError, messageOf } from '../engine/errors.js';
import type { Timestamper } from './seal.js';

const answerMs = 30_000;
const maxAnswer = 1024 * 1024;

function openssl(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('openssl', args, { cwd, timeout: answerMs }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject((error as NodeJS.ErrnoException).code === 'ENOENT' ? new UsageError('timestamps need the program openssl, which is not installed') : new Error(`openssl ${args.slice(0, 2).join(' ')}: ${lastLine(stderr) || error.message}`));
    });
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

async function inFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-timestamp-'));
  try {
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Asks the RFC 3161 authority at `url` for a token over the seal. Throws UsageError at once when the address is none or
 * openssl is missing; the timestamper rejects when the authority does not answer within 30 s or answers something else.
 */
export async function timestamper(url: string): Promise<Timestamper> {
  if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : '')) throw new UsageError(`expected the http address of a timestamp authority, found ${JSON.stringify(url)}`);
  await openssl(['version'], tmpdir());
  return (sealText) =>
    inFolder(async (folder) => {
      await writeFile(join(folder, 'seal.sig'), sealText);
      await openssl(['ts', '-query', '-data', 'seal.sig', '-sha256', '-cert', '-out', 'query.tsq'], folder);
      const response = await fetch(url, { method: 'POST', body: await readFile(join(folder, 'query.tsq')), headers: { 'content-type': 'application/timestamp-query' }, signal: AbortSignal.timeout(answerMs) }).catch((error: unknown) => {
        throw new Error(`the timestamp authority ${url} did not answer: ${messageOf(error)}`);
      });
      const token = Buffer.from(await response.arrayBuffer());
      if (!response.ok || token.length > maxAnswer) throw new Error(`the timestamp authority ${url} answered ${response.status} with ${token.length} bytes`);
      await writeFile(join(folder, 'seal.tsr'), token);
      const text = await openssl(['ts', '-reply', '-in', 'seal.tsr', '-text'], folder);
      if (!/^Status: Granted/m.test(text)) throw new Error(`the timestamp authority ${url} granted no token`);
      return token;
    });
}

/** When a token was made, in ms since the epoch, as an authority vouches for it that `ca` (a PEM file) leads to. Rejects with why it is not so. */
export function tokenTime(token: Buffer, sealText: string, ca: string): Promise<number> {
  return inFolder(async (folder) => {
    await writeFile(join(folder, 'seal.sig'), sealText);
    await writeFile(join(folder, 'seal.tsr'), token);
    const found = /^Time stamp: (.+)$/m.exec(await openssl(['ts', '-reply', '-in', 'seal.tsr', '-text'], folder));
    const at = Date.parse(found?.[1] ?? '');
    if (Number.isNaN(at)) throw new Error('the token names no time');
    // Evidence outlives certificates: the authority's must have been valid when it made the token.
    await openssl(['ts', '-verify', '-in', 'seal.tsr', '-data', 'seal.sig', '-CAfile', ca, '-attime', String(Math.floor(at / 1000))], folder);
    return at;
  });
}
