import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CleanupDefinition, DeferredCleanup, ProvisionContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { codeOf } from '../../postgres/errors.js';
import { canEnter, type Owner } from '../../postgres/owner.js';
import { endServer } from '../../postgres/processes.js';
import { removeTree } from '../../trees/trees.js';
import { reachableFolder } from './binary-cache.js';

export interface Place {
  readonly path: string;
  readonly cleanup: DeferredCleanup;
  /** Tells the folder from another of the same name. */
  readonly identity: { readonly inode: number; readonly device: number };
}

/**
 * A new folder of a connection: below the run's work folder, or, where the server's user cannot enter that, in the temporary
 * folder. Only we can write to it; the server's user may enter. Its cleanup is registered before it is made.
 */
export async function makePlace(ctx: ProvisionContext, owner: Owner, uses: string): Promise<Place> {
  await mkdir(ctx.workDir, { recursive: true, mode: 0o755 });
  const path = canEnter(ctx.workDir, owner) ? join(ctx.workDir, ctx.connection) : join(reachableFolder(owner), `muster-${ctx.runId}-${ctx.connection}`);
  const cleanup = await ctx.defer({ uses, with: { path } });
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    await cleanup.done();
    throw new StepError('no-place', `the folder ${path} of connection ${ctx.connection} could not be made: ${codeOf(error) ?? String(error)}`, { cause: error });
  }
  const { ino: inode, dev: device } = await lstat(path);
  const identity = { inode, device };
  await cleanup.confirm(identity);
  return { path, cleanup, identity };
}

/**
 * Ends what still works in a place and removes it. A folder that another has made under that name is left alone, with the
 * servers in it.
 */
export function removePlace(summary: string): CleanupDefinition {
  return {
    summary,
    async run(data, identity, ctx) {
      const path = String(data['path']);
      let facts;
      try {
        facts = await lstat(path);
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return;
        throw error;
      }
      if (identity !== undefined && identity['inode'] !== facts.ino) {
        ctx.log(`${path} is another folder than the one that this run made: left alone`);
        return;
      }
      await endServer(join(path, 'data'));
      await removeTree(path);
    },
  };
}
