import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { WatchContext } from '../../../engine/define-watcher.js';
import { assigned, blocksOf } from './hcl.js';
import { unpinned, type SourceFile } from './pins.js';

/** A folder of infrastructure code that is watched. */
export interface WatchedCode {
  readonly connection: string;
  /** Absolute. */
  readonly folder: string;
  /** Variables that the environment's document sets or passes on. */
  readonly documented: ReadonlySet<string>;
}

type Tell = (object: string, change: string, since?: string) => void;

const passedOver = new Set(['.git', '.terraform', '.terragrunt-cache', 'node_modules']);
const isCode = (name: string): boolean => /\.(tf|tofu|hcl)$/.test(name) || isValues(name);
/** Read by Terraform without being asked to. */
const isValues = (name: string): boolean => /(^terraform\.tfvars|\.auto\.tfvars)(\.json)?$/.test(name);

export async function sourceFiles(folder: string): Promise<SourceFile[]> {
  const found: SourceFile[] = [];
  const visit = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !passedOver.has(entry.name)) await visit(path);
      else if (entry.isFile() && isCode(entry.name)) found.push({ path: relative(folder, path), text: await readFile(path, 'utf8') });
    }
  };
  await visit(folder);
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** What holds before anything is done: uncommitted code, what is not pinned, and inputs that no document names. */
export async function tellCode({ connection, folder, documented }: WatchedCode, ctx: WatchContext): Promise<void> {
  const tell = teller(connection, ctx);
  const committed = await ctx.ports.git.committed(folder);
  if (committed.size === 0) tell('code', 'in no repository, or nothing of it is committed');
  const files = await sourceFiles(folder);
  for (const { object, why } of unpinned(files)) tell(object, `not pinned: ${why}`);
  for (const { path } of files.filter(({ path }) => path.endsWith('.terraform.lock.hcl'))) if (!committed.has(path)) tell(`file ${path}`, 'the lock file of the providers is not committed');
  for (const { path, text } of files) {
    if (isValues(path) && !committed.has(path)) tell(`file ${path}`, `an undocumented input: not in git, and it sets ${assigned(text).join(', ') || 'nothing'}`);
  }
  const variables = new Set(files.flatMap(({ path, text }) => (/\.(tf|tofu)$/.test(path) ? blocksOf(text).filter(({ type }) => type === 'variable').map(({ labels }) => labels[0] ?? '') : [])));
  for (const name of Object.keys(process.env).filter((each) => each.startsWith('TF_VAR_')).toSorted()) {
    if (variables.has(name.slice('TF_VAR_'.length)) && !documented.has(name)) tell(`variable ${name}`, 'an undocumented input: set where Muster was started, and passed on');
  }
}

/** Follows what differs from HEAD, and HEAD itself. */
export class CodeWatch {
  #differing = new Map<string, string>();
  #head: string | null = null;

  constructor(private readonly code: WatchedCode, private readonly ctx: WatchContext) {}

  async begin(): Promise<void> {
    const tell = teller(this.code.connection, this.ctx);
    this.#head = (await this.ctx.ports.git.head(this.code.folder))?.commit ?? null;
    this.#differing = await this.#look();
    for (const [path, how] of this.#differing) tell(`file ${path}`, `${how === 'untracked' ? 'not committed' : how}, at the start`);
  }

  /** `since`: the last time that it looked. */
  async compare(since: string): Promise<void> {
    const { ctx, code } = this;
    const tell = teller(code.connection, ctx);
    const now = await this.#look();
    for (const [path, how] of now) if (this.#differing.get(path) !== how) tell(`file ${path}`, `${how === 'untracked' ? 'added' : how} during the drill`, since);
    for (const path of this.#differing.keys()) if (!now.has(path)) tell(`file ${path}`, 'put back to what is committed, during the drill', since);
    this.#differing = now;
    const head = await ctx.ports.git.head(code.folder);
    if ((head?.commit ?? null) !== this.#head) {
      ctx.observed({ system: `infrastructure:${code.connection}`, object: 'HEAD', actor: head?.author ?? null, change: 'moved during the drill', before: this.#head, after: head?.commit ?? null, proof: 'another', since, scope: 'recovery-path' });
      this.#head = head?.commit ?? null;
    }
  }

  async #look(): Promise<Map<string, string>> {
    // Where there is no repository, `tellCode` has said so.
    if (this.#head === null) return new Map();
    return new Map((await this.ctx.ports.git.differing(this.code.folder)).map(({ path, how }) => [path, how]));
  }
}

/** Nobody but people change code: no step of a drill does. */
function teller(connection: string, ctx: WatchContext): Tell {
  return (object, change, since) => ctx.observed({ system: `infrastructure:${connection}`, object, actor: null, change, proof: 'another', ...(since === undefined ? {} : { since }), scope: 'recovery-path' });
}
