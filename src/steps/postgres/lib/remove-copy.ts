import type { BaseContext } from '../../../engine/define-step.js';

/**
 * Stops a restored server and removes its files. The place was empty when the run claimed it; with an identity only the
 * very directory that the restore made is removed.
 */
export async function removeCopy(data: Record<string, unknown>, identity: Record<string, unknown> | undefined, ctx: BaseContext): Promise<void> {
  const local = ctx.ports.postgres.local(String(data['into']));
  if (local.dataDir !== data['dataDir']) throw new Error(`the data directory of ${String(data['into'])} is ${local.dataDir} now, not ${String(data['dataDir'])}`);
  const inode = identity?.['inode'];
  const there = await ctx.ports.files.inode(local.dataDir);
  if (there === undefined) return;
  if (typeof inode === 'number' && inode !== there) {
    ctx.log(`left alone: ${local.dataDir} is another directory than the one that was restored`);
    return;
  }
  if (await local.running()) await local.stop('immediate');
  await ctx.ports.files.remove(local.dataDir, { inode: there });
}
