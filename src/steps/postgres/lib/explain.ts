import type { PlanContext, PreflightCheck } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { isUnknown } from '../../../engine/plannable.js';
import { addressOf } from './inputs.js';
import { rightsOfStatement } from './rights.js';
import { withSession } from './session.js';
import { describe, sqlState, undefinedTable } from './sql-errors.js';
import { bindIdentifiers } from './sql-text.js';

interface Asked {
  readonly server?: unknown;
  readonly endpoint?: unknown;
  readonly sql?: unknown;
  readonly params?: unknown;
  readonly identifiers?: unknown;
  readonly database?: unknown;
}

const id = 'statement';
const explainable = /^\s*(select|insert|update|delete|merge|values|with)\b/i;

/** PostgreSQL's own dry run: EXPLAIN checks names and privileges of a statement and runs nothing of it. */
export async function explain({ server, endpoint, sql, params, identifiers, database }: Asked, ctx: PlanContext): Promise<PreflightCheck[]> {
  const names = typeof identifiers === 'object' && identifiers !== null && !isUnknown(identifiers) ? Object.entries(identifiers) : [];
  const values: readonly unknown[] = Array.isArray(params) ? params : [];
  if (typeof sql !== 'string' || isUnknown(params) || isUnknown(identifiers) || values.some(isUnknown) || names.some(([, name]) => typeof name !== 'string') || [server, endpoint, database].some(isUnknown)) {
    return [{ id, result: 'deferred', detail: 'a part of it is not known before the run' }];
  }
  if (!explainable.test(sql)) {
    // What it needs is then a right like any other, checked with the connection.
    const told = rightsOfStatement(sql, Object.fromEntries(names)).every(({ on }) => on !== 'statement');
    return told ? [] : [{ id, result: 'could-not-run', detail: 'only running it shows what it needs' }];
  }
  const address = addressOf({ ...(typeof server === 'string' ? { server } : {}), ...(typeof endpoint === 'string' ? { endpoint } : {}) });
  try {
    await withSession(ctx, address, { effect: 'read', label: 'preflight', statementTimeoutMs: 10_000, ...(typeof database === 'string' ? { database } : {}) }, async (session) => {
      const text = bindIdentifiers(sql, Object.fromEntries(names.map(([name, value]) => [name, String(value)])), (name) => session.identifier(name));
      await session.query(`EXPLAIN ${text}`, values.length === 0 ? undefined : values);
    });
    return [{ id, result: 'passed', detail: 'EXPLAIN takes it' }];
  } catch (error) {
    if (sqlState(error) === undefinedTable && (ctx.stage === 'before' || ctx.stage === 'provisioned')) return [{ id, result: 'deferred', detail: `${describe(error)}; looked at again after the prepare steps` }];
    if (error instanceof StepError && error.code === 'postgres-unreachable') return [{ id, result: 'deferred', detail: 'its server does not answer now' }];
    if (sqlState(error) === undefined) throw error;
    return [{ id, result: 'failed', detail: describe(error) }];
  }
}
