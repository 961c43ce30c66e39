import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Type } from 'typebox';
import { sha256 } from '../../engine/canonical.js';
import { defineWatcher, type WatchContext } from '../../engine/define-watcher.js';
import { messageOf } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';

type Head = { readonly commit: string; readonly author: string } | null;
type Differing = ReadonlyMap<string, string>;

export const watcher = defineWatcher({
  type: 'git.changes',
  summary: 'Sees runbook, environment and infrastructure code change during the drill: edited files, and a HEAD that moved.',
  input: Type.Object({ folders: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: "Folders with infrastructure code, from the runbook's folder on; what is not committed there counts as well" })) }, strict),
  permissions: () => [{ system: 'command', command: 'git' }],
  examples: [{ title: 'The code that the restore needs, too', with: { folders: ['../infra'] } }],
  plan: ({ folders = [] }) => ({
    does: `Watches runbook and environment${folders.length === 0 ? '' : `, and ${folders.join(', ')},`} for edits and for commits during the drill`,
    calls: ['git log -1', ...folders.map((folder) => `git ls-tree HEAD -- ${folder}; git hash-object`)],
  }),
  async begin({ folders = [] }, ctx) {
    const places = [...new Set([...ctx.documents.map(({ path }) => dirname(path)), ...folders.map((folder) => resolve(ctx.runbookDir, folder))])];
    const heads = new Map<string, Head>();
    for (const place of places) heads.set(place, await ctx.ports.git.head(place));
    const code = new Map<string, Differing>();
    for (const folder of folders) {
      const differing = await differingIn(folder, ctx);
      code.set(folder, differing);
      for (const [path, how] of differing) ctx.observed({ system: 'git', object: `file ${path}`, actor: null, change: `${how === 'untracked' ? 'not committed' : how}, at the start`, proof: 'another', scope: 'recovery-path' });
    }
    const began = ctx.clock.now().at;
    const compare = async (): Promise<void> => {
      for (const document of ctx.documents) {
        const now = await readFile(document.path).then((bytes) => sha256(bytes), () => null);
        if (now !== document.sha256) ctx.observed({ system: 'git', object: `${document.what} ${basename(document.path)}`, actor: null, change: now === null ? 'removed during the drill' : 'edited during the drill', before: document.sha256, after: now, proof: 'none', since: began, scope: 'recovery-path' });
      }
    };
    await compare();
    const live = ctx.documents.map(({ path }) => watch(path, () => void compare().catch((error: unknown) => ctx.log(messageOf(error)))));
    const stop = (): Promise<void> => {
      for (const watching of live) watching.close();
      return Promise.resolve();
    };
    return {
      stop,
      async end() {
        await stop();
        await compare();
        for (const [place, was] of heads) {
          const now = await ctx.ports.git.head(place);
          if (now?.commit !== was?.commit) ctx.observed({ system: 'git', object: 'HEAD', actor: now?.author ?? null, change: 'moved during the drill', before: was?.commit ?? null, after: now?.commit ?? null, proof: 'none', since: began, scope: 'recovery-path' });
        }
        for (const [folder, was] of code) {
          for (const [path, how] of await differingIn(folder, ctx)) if (was.get(path) !== how) ctx.observed({ system: 'git', object: `file ${path}`, actor: null, change: `${how} during the drill`, proof: 'none', since: began, scope: 'recovery-path' });
        }
        return ctx.documents.length + heads.size + code.size;
      },
    };
  },
});

async function differingIn(folder: string, ctx: WatchContext): Promise<Differing> {
  return new Map((await ctx.ports.git.differing(resolve(ctx.runbookDir, folder))).map(({ path, how }) => [path, how]));
}
