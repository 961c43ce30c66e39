import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { sha256 } from '../../engine/canonical.js';
import { gitPort } from '../git/adapter.js';
import type { CodeFacts } from './port.js';

/** Not code: what the tools keep, and states. */
const left = new Set(['.git', '.terraform', '.terragrunt-cache']);
const notCode = /\.tfstate(\.backup|\..*)?$|\.tfplan$/;

/** Paths of the files of infrastructure code below `folder`, relative to it with `/`, sorted. */
export async function codeFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (entry.isDirectory()) {
        if (!left.has(entry.name)) await visit(join(at, entry.name));
      } else if (!notCode.test(entry.name)) found.push(relative(folder, join(at, entry.name)).split(sep).join('/'));
    }
  };
  await visit(folder);
  return found.toSorted();
}

/** What a folder of infrastructure code is, and whether git has it. Throws RefusedError where git cannot tell. */
export async function codeFacts(folder: string): Promise<CodeFacts> {
  const files = await codeFiles(folder);
  const lines = await Promise.all(files.map(async (file) => `${sha256(await readFile(join(folder, file)))}  ${file}`));
  const head = await gitPort.head(folder);
  const differing = head === null ? files : (await gitPort.differing(folder)).map(({ path }) => path);
  return { commit: head?.commit ?? null, differing, digest: sha256(lines.join('\n')) };
}
