import type { ConnectionContext, NeededRight, PreflightCheck } from '../../../engine/define-step.js';
import { GuardError, messageOf, StepError } from '../../../engine/errors.js';
import { checkRights, type RightsOf } from '../../postgres/check-rights.js';
import { rightInWords } from '../../postgres/grants.js';
import type { PostgresSession } from '../../postgres/port.js';
import { powersOf } from '../../postgres/powers.js';

/** How far a server's clock may be from ours: time targets come from the server, the fault's time from us. */
const maxOffsetMs = 1_000;
const rounds = 3;

/** Is a server that is there reachable, is its clock right, and may its role do what the steps need? Reads only. */
export async function checkServer(ctx: ConnectionContext): Promise<PreflightCheck[]> {
  const checks: PreflightCheck[] = [];
  const databases = new Set([undefined, ...ctx.rights.map(({ right }) => right.database)]);
  for (const database of databases) {
    const prefix = database === undefined ? '' : `database ${database}, `;
    const rights = ctx.rights.filter(({ right }) => right.database === database);
    try {
      await inSession(ctx, database, async (session) => {
        const who = await identity(session);
        checks.push({ id: `${prefix}reachable`, result: 'passed', detail: `PostgreSQL ${who.serverVersion} as ${who.role}${who.superuser ? ', a superuser' : ''}` });
        if (database === undefined) checks.push(await clockCheck(session, ctx), ...(await powersCheck(session, who, ctx)));
        checks.push(...(await rightsChecks(session, rights, who, ctx, prefix)));
      });
    } catch (error) {
      ctx.signal.throwIfAborted();
      // A database that an earlier step makes is none that we know of: its absence is a failure.
      checks.push({ id: `${prefix}reachable`, result: 'failed', detail: `${messageOf(error)}${error instanceof StepError && error.hint !== undefined ? ` (${error.hint})` : ''}${error instanceof GuardError ? ` ${error.details.join(' ')}` : ''}` });
    }
  }
  return checks;
}

/** It may do more than our read-only transactions hold back: allowed, and said here before it stands under "not proved". */
async function powersCheck(session: PostgresSession, { role }: RightsOf, { role: of }: ConnectionContext): Promise<PreflightCheck[]> {
  if (of !== 'production') return [];
  const powers = await powersOf(session, role);
  const detail = powers.length === 0 ? `${role} has no power that a read-only transaction leaves` : `WARNING: ${role} has ${powers.join(', ')}, which a read-only transaction does not hold back; give Muster a role with pg_read_all_data and pg_monitor only`;
  return [{ id: 'least power on production', result: 'passed', detail }];
}

async function inSession(ctx: ConnectionContext, database: string | undefined, work: (session: PostgresSession) => Promise<void>): Promise<void> {
  const session = await ctx.ports.postgres.connect({ connection: ctx.connection }, { effect: 'read', label: 'preflight', statementTimeoutMs: 10_000, ...(database === undefined ? {} : { database }) });
  try {
    await work(session);
  } finally {
    await session.close().catch(() => undefined);
  }
}

async function identity(session: PostgresSession): Promise<RightsOf & { readonly serverVersion: string }> {
  const { rows } = await session.query<{ role: string; superuser: boolean; version: number; serverVersion: string }>(
    `SELECT current_user::text AS role, rolsuper AS superuser, current_setting('server_version_num')::int AS version, current_setting('server_version') AS "serverVersion" FROM pg_roles WHERE rolname = current_user`,
  );
  const [row] = rows;
  if (row === undefined) throw new StepError('sql-error', 'the server does not know the role that we are');
  return row;
}

/** The server's time was taken somewhere between our sending and our hearing of it: that bounds the difference. */
async function clockCheck(session: PostgresSession, ctx: ConnectionContext): Promise<PreflightCheck> {
  let least = -Infinity;
  let most = Infinity;
  for (let round = 0; round < rounds; round += 1) {
    const sent = Date.parse(ctx.clock.now().at);
    const { rows } = await session.query<{ ms: string }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::numeric(20, 3)::text AS ms');
    const heard = Date.parse(ctx.clock.now().at) + 1;
    const server = Number(rows[0]?.ms);
    least = Math.max(least, server - heard);
    most = Math.min(most, server - sent);
  }
  const ms = (value: number) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(0)} ms`;
  const certain = Math.max(0, least, -most);
  const detail = `its clock_timestamp() minus this machine's clock lies between ${ms(Math.min(least, most))} and ${ms(Math.max(least, most))} (the best of ${rounds} round trips); at most ${maxOffsetMs} ms is allowed`;
  return { id: 'clock', result: certain <= maxOffsetMs ? 'passed' : 'failed', detail };
}

/** One for all that it has; one for each that it lacks. What a statement needs that nobody can read off it is the step's own affair. */
async function rightsChecks(session: PostgresSession, rights: readonly NeededRight[], who: RightsOf, ctx: ConnectionContext, prefix: string): Promise<PreflightCheck[]> {
  const checks: PreflightCheck[] = [];
  const waiting: string[] = [];
  let held = 0;
  const checkable = rights.filter(({ right }) => right.sql?.on !== 'statement');
  const results = await checkRights(session, checkable.flatMap(({ right }) => right.sql ?? []), who, ctx.makes);
  for (const { right, by } of checkable) {
    const name = right.sql === undefined ? right.grant : rightInWords(right.sql);
    const { result, detail } = (right.sql === undefined ? undefined : results.get(right.sql)) ?? { result: 'could-not-run', detail: 'nothing says how to check it' };
    if (result === 'passed') held += 1;
    else if (result === 'deferred') waiting.push(name);
    else checks.push({ id: `${prefix}${name}`, result, detail: `${detail} (needed by ${by.join(', ')})` });
  }
  const detail = `${who.role} has ${held} of the ${checkable.length} rights that the steps need`;
  if (waiting.length > 0) checks.push({ id: `${prefix}rights`, result: 'deferred', detail: `${detail}; the run's own steps have yet to make what these are about: ${waiting.join('; ')}` });
  else if (held > 0) checks.push({ id: `${prefix}rights`, result: checks.some(({ result }) => result === 'failed') ? 'failed' : 'passed', detail });
  return checks;
}
