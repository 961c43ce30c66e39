import type { ConnectionContext, PreflightCheck } from '../../../engine/define-step.js';
import { messageOf } from '../../../engine/errors.js';

/** Can the backups be listed? Which of them a restore may use is the affair of the step that restores. */
export async function checkRepository(ctx: ConnectionContext): Promise<PreflightCheck[]> {
  const id = 'readable';
  if (!ctx.there) return [{ id, result: 'deferred', detail: 'the run makes this repository' }];
  try {
    const backups = await ctx.ports.postgres.repository(ctx.connection).list();
    const newest = backups.toSorted((a, b) => (a.finishedAt < b.finishedAt ? 1 : -1))[0];
    return [{ id, result: 'passed', detail: newest === undefined ? 'no backup in it' : `${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}, the newest ${newest.name}, finished ${newest.finishedAt}` }];
  } catch (error) {
    ctx.signal.throwIfAborted();
    return [{ id, result: 'failed', detail: messageOf(error) }];
  }
}
