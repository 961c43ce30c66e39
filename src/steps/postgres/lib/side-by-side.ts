import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { withSession } from './session.js';
import { endsSession, sqlState } from './sql-errors.js';

/** Runs `work` in a session of its own, named by `label`. */
export type InSession = <T>(label: string, effect: 'read' | 'modify', work: (session: PostgresSession) => Promise<T>) => Promise<T>;

/** cannot_connect_now: the server starts up or recovers from a crash. */
const startingUp = '57P03';
const retryMs = 100;

type Lists = Readonly<Record<string, () => Promise<unknown>>>;
type Results<L extends Lists> = { [name in keyof L]: Awaited<ReturnType<L[name]>> };

/**
 * Does several lists of checks at the same time. A check that makes the server crash takes the sessions of the others along;
 * then all are done again, one after the other, so that nothing is hidden by another's crash.
 */
export async function sideBySide<L extends Lists>(ctx: Pick<BaseContext, 'ports' | 'signal' | 'clock' | 'log'>, connection: string, lists: (session: InSession) => L, database?: string): Promise<Results<L>> {
  let lost = false;
  const work = Object.entries(
    lists((label, effect, inIt) => {
      const noticing = (error: unknown): never => {
        lost ||= endsSession(error);
        throw error;
      };
      return withSession(ctx, { connection }, { effect, label, ...(database === undefined ? {} : { database }) }, (open) =>
        inIt({ identifier: (name) => open.identifier(name), close: () => open.close(), query: (sql, params) => open.query<never>(sql, params).catch(noticing) }),
      ).catch(noticing);
    }),
  );
  const done = async ([name, list]: (typeof work)[number]) => [name, await list()] as const;
  const settled = await Promise.allSettled(work.map(done));
  ctx.signal.throwIfAborted();
  if (!lost) return Object.fromEntries(settled.map(valueOf)) as Results<L>;
  ctx.log('a session was lost: the checks are made again, one after the other');
  await accepting(ctx, connection, database);
  return Object.fromEntries(await inTurn(work, done)) as Results<L>;
}

export async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Until the step's time is up. */
async function accepting(ctx: Pick<BaseContext, 'ports' | 'signal' | 'clock'>, connection: string, database: string | undefined): Promise<void> {
  for (;;) {
    try {
      await withSession(ctx, { connection }, { effect: 'read', label: 'accepting', ...(database === undefined ? {} : { database }) }, () => Promise.resolve());
      return;
    } catch (error) {
      if (sqlState(error) !== startingUp) throw error;
      await ctx.clock.sleep(retryMs, ctx.signal);
    }
  }
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}
