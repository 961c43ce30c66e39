import { Type, type Static } from 'typebox';
import type { PostgresSession } from '../../clients/postgres/port.js';
import { defineStep, type Effect, type StepContext } from '../../engine/define-step.js';
import { RefusedError, StepError } from '../../engine/errors.js';
import { FixedText, literals, strict } from '../../engine/schema.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { addressOf, Database, Endpoint, Server, showAddress, systemOf } from './lib/inputs.js';
import { rights, rightsOfStatement } from './lib/rights.js';
import { explain } from './lib/explain.js';
import { transaction, withSession } from './lib/session.js';
import { describe, sqlState } from './lib/sql-errors.js';
import { bindIdentifiers, checkIdentifiers, checkStatement } from './lib/sql-text.js';
import { pickValues, unmet } from './lib/sql-expect.js';

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);

const Input = Type.Object(
  {
    server: Type.Optional(Server('The connection to talk to; or give `endpoint`')),
    endpoint: Type.Optional(Endpoint('Talk to whatever this address leads to now; or give `server`')),
    sql: FixedText('One statement. Values go through `params` as $1, $2; names through `identifiers` as :"name". It takes no template.'),
    params: Type.Optional(Type.Array(Scalar, { description: 'Values of $1, $2, ...' })),
    identifiers: Type.Optional(Type.Record(Type.String({ pattern: '^\\w+$' }), Type.String({ minLength: 1 }), { description: 'Names for :"name" in `sql`; quoted by the driver; `schema.name` is quoted in two parts' })),
    effect: literals(['read', 'create', 'modify', 'destroy'], { description: 'What the statement does; `read` runs in a READ ONLY transaction' }),
    expect: Type.Optional(
      Type.Object(
        {
          rowCount: Type.Optional(Type.Integer({ minimum: 0, description: 'Rows returned or touched' })),
          rows: Type.Optional(Type.Array(Type.Record(Type.String(), Scalar), { description: 'Exactly these rows in this order; columns that are not named do not matter; compared as text' })),
          error: Type.Optional(Type.String({ pattern: '^[0-9A-Z]{5}$', description: 'The SQLSTATE that the statement must fail with' })),
        },
        { ...strict, description: 'When unmet the step fails, and a statement that alters something is rolled back' },
      ),
    ),
    health: Type.Optional(Type.String({ minLength: 1, description: 'Records the outcome as health check of that name' })),
    output: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][A-Za-z0-9_]*$' }), Type.String(), { description: 'Columns of a single row to give to later steps, by name. They are written to the evidence bundle: nothing else of a result is' })),
    database: Database,
  },
  strict,
);

const Output = Type.Object({ rowCount: Type.Integer(), values: Type.Record(Type.String(), Scalar, { description: 'What `output` asked for' }) }, strict);

export const step = defineStep({
  type: 'postgres.sql',
  summary: 'Runs one SQL statement and holds its result against what is expected.',
  input: Input,
  output: Output,
  effect: (input): Effect => {
    const { effect } = membersOf(input);
    return effect === undefined || isUnknown(effect) ? 'destroy' : effect;
  },
  changes: (input) => {
    const { server, endpoint, effect, identifiers } = membersOf(input);
    if (effect === 'read') return [];
    const names = identifiers === undefined || isUnknown(identifiers) ? [] : Object.values(identifiers);
    return (names.length === 0 ? ['*'] : names.map((name) => `table ${inWords(name)}`)).map((object) => ({ system: systemOf({ server, endpoint }), object }));
  },
  permissions: (input) => {
    const { server, endpoint, sql, identifiers, database } = membersOf(input);
    const names = identifiers === undefined || isUnknown(identifiers) ? {} : identifiers;
    return rights(server ?? endpoint, typeof sql === 'string' ? rightsOfStatement(sql, names) : [{ on: 'statement', sql: inWords(sql) }], database);
  },
  evidence: ['health-checks'],
  examples: [
    { title: 'A deploy that goes wrong', with: { server: 'source', sql: 'DROP TABLE :"table"', identifiers: { table: 'orders' }, effect: 'destroy' } },
    { title: 'A health check through the endpoint', with: { endpoint: 'app', sql: 'SELECT count(*)::int AS n FROM orders WHERE account = $1', params: [7], effect: 'read', expect: { rowCount: 1 }, health: 'The service reads its table' } },
    { title: 'A value for later steps', with: { server: 'source', sql: 'SELECT count(*)::int AS n FROM accounts', effect: 'read', output: { accounts: 'n' } } },
  ],
  plan(input) {
    const { server, endpoint, sql, effect, params, identifiers, expect } = membersOf(input);
    if (isUnknown(sql)) throw new StepError('bad-sql', `SQL takes no template: <${sql.unknown}>`, { hint: 'give values through `params` and names through `identifiers`' });
    const names = identifiers === undefined || isUnknown(identifiers) ? {} : identifiers;
    if (sql !== undefined) {
      checkStatement(sql, effect === 'read');
      checkIdentifiers(sql, Object.keys(names));
    }
    const named = Object.entries(names).map(([name, value]) => `:"${name}" = ${inWords(value)}`);
    const bound = params === undefined ? [] : isUnknown(params) ? [`params = ${inWords(params)}`] : params.map((value, at) => `$${at + 1} = ${inWords(value)}`);
    const details = [...named, ...bound];
    return {
      does: `Runs one statement on ${isUnknown(input) ? inWords(input) : showAddress({ server, endpoint })}${expect === undefined ? '' : ', and fails unless the result is as expected'}`,
      calls: [`${inWords(sql)}${details.length === 0 ? '' : `   -- ${details.join(', ')}`}`],
    };
  },
  preflight: (input, ctx) => explain(membersOf(input), ctx),
  async run(input, ctx) {
    checkStatement(input.sql, input.effect === 'read');
    const outcome = await attempt(input, ctx);
    if (input.health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: input.health, ok: outcome.ok, detail: outcome.detail }] });
    if (!outcome.ok) throw outcome.error;
    return outcome.output;
  },
});

type Output = Static<typeof Output>;
type Outcome = { readonly ok: true; readonly detail: string; readonly output: Output } | { readonly ok: false; readonly detail: string; readonly error: unknown };

async function attempt(input: Static<typeof Input>, ctx: StepContext): Promise<Outcome> {
  const expected = input.expect?.error;
  try {
    const output = await send(input, ctx);
    return { ok: true, detail: `${output.rowCount} rows`, output };
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (expected !== undefined && sqlState(error) === expected) return { ok: true, detail: `failed with ${expected}, as expected`, output: { rowCount: 0, values: {} } };
    const known = error instanceof StepError ? error : new StepError('sql-failed', describe(error), { cause: error, retryable: sqlState(error) === undefined });
    return { ok: false, detail: known.message, error: error instanceof RefusedError ? error : known };
  }
}

/** Alone, so that statements which take no transaction block work too; in one when there is something to roll back for. */
async function send(input: Static<typeof Input>, ctx: StepContext): Promise<Output> {
  const options = { effect: input.effect, ...(input.database === undefined ? {} : { database: input.database }) };
  return withSession(ctx, addressOf(input), options, async (session) => {
    const text = bindIdentifiers(input.sql, input.identifiers ?? {}, (name) => session.identifier(name));
    const work = () => judged(session, text, input);
    if (input.effect === 'read') return transaction(session, 'BEGIN READ ONLY', work);
    return input.expect === undefined ? work() : transaction(session, 'BEGIN', work);
  });
}

async function judged(session: PostgresSession, text: string, input: Static<typeof Input>): Promise<Output> {
  const result = await session.query(text, input.params);
  const difference = unmet(result, input.expect);
  if (difference !== undefined) throw new StepError('unexpected-result', difference);
  if (input.expect?.error !== undefined) throw new StepError('unexpected-result', `expected error ${input.expect.error}, but the statement succeeded`);
  return { rowCount: result.rowCount, values: pickValues(result, input.output ?? {}) };
}
