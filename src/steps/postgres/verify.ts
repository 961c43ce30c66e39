import { Type, type Static } from 'typebox';
import type { PostgresSession } from '../../clients/postgres/port.js';
import { defineStep, type Effect, type StepContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import type { EvidenceOf } from '../../engine/kinds/index.js';
import { FixedText, literals, strict } from '../../engine/schema.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { checkAmcheck } from './lib/check-amcheck.js';
import { checkConstraints } from './lib/check-constraints.js';
import { checkPages } from './lib/check-pages.js';
import { failedCheck, type Check } from './lib/check.js';
import type { TableDigest } from './lib/digest.js';
import { Database, Digests, Server } from './lib/inputs.js';
import { onTables, rights } from './lib/rights.js';
import { hasMarker } from './lib/marker.js';
import { checkInvariant, compareTables, readManifest } from './lib/reconcile.js';
import { inTurn, sideBySide } from './lib/side-by-side.js';
import { checkStatement } from './lib/sql-text.js';

const Input = Type.Object(
  {
    server: Server('The restored copy. Compare it before clients write to it'),
    reference: literals(['snapshot', 'manifest', 'invariants', 'none'], { description: 'What its content is held against; with `none` the content is not proved' }),
    snapshot: Type.Optional(Digests('For `snapshot`: the `tables` of postgres.snapshot')),
    manifest: Type.Optional(Type.String({ minLength: 1, description: 'For `manifest`: the file that postgres.manifest wrote' })),
    invariants: Type.Optional(
      Type.Array(Type.Object({ name: Type.String({ minLength: 1 }), sql: FixedText('A query that gives no row, or one row whose only column is true; it takes no template') }, strict), {
        description: 'Statements that must hold; for `invariants`, and beside any other reference',
      }),
    ),
    present: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Ids of postgres.marker that must be there' })),
    absent: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Ids of postgres.marker that must not be there' })),
    consistency: Type.Optional(literals(['full', 'pages', 'none'], { description: '`full` (default): amcheck, every page of every table, constraints; `pages`: every page only' })),
    database: Database,
  },
  strict,
);

export const step = defineStep({
  type: 'postgres.verify',
  summary: 'Checks a restored server: is it sound, does it hold what it should, is the row before the target there and the one after it not. What it finds is evidence; the verdict judges it.',
  input: Input,
  output: Type.Object({ tables: Type.Integer({ description: 'Tables compared' }), findings: Type.Integer({ description: 'What is not as it should be' }), notRun: Type.Integer({ description: 'Checks that could not run' }) }, strict),
  effect: (input): Effect => (membersOf(input).consistency === 'none' || membersOf(input).consistency === 'pages' ? 'read' : 'modify'),
  changes: () => [],
  permissions: (input) => {
    const { server, snapshot, consistency, database } = membersOf(input);
    const tables = snapshot === undefined || isUnknown(snapshot) ? [] : onTables(Object.keys(snapshot), ['SELECT']);
    // Pages of every table and amcheck, the extension itself made and rolled back: only a superuser may.
    return rights(server, consistency === 'none' ? tables : [{ on: 'superuser' }], database);
  },
  evidence: ['reconciliation'],
  examples: [
    { title: 'Against a snapshot', with: { server: 'copy', reference: 'snapshot', snapshot: { orders: { rows: 2, checksum: '12' } }, present: ['3f6d5a0e'], absent: ['9b1c7e42'] } },
    { title: 'Against statements of your own', with: { server: 'copy', reference: 'invariants', invariants: [{ name: 'No account is overdrawn', sql: 'SELECT FROM accounts WHERE balance < 0' }] } },
  ],
  repeatable: true,
  plan(input) {
    const { server, reference, snapshot, manifest, invariants, consistency } = membersOf(input);
    if (reference !== undefined && !isUnknown(reference)) needs(reference, { snapshot, manifest, invariants });
    const asked = invariants === undefined || isUnknown(invariants) ? [] : invariants.flatMap((invariant) => (isUnknown(invariant) || isUnknown(invariant.sql) ? [] : [invariant.sql]));
    for (const sql of asked) checkStatement(sql, true);
    const deep = { full: 'amcheck, every page, constraints', pages: 'every page', none: 'no consistency checks' };
    return {
      does: `Compares the content of ${inWords(server)} with ${reference === 'none' ? 'nothing (content not proved)' : inWords(reference)}; ${consistency !== undefined && isUnknown(consistency) ? inWords(consistency) : deep[consistency ?? 'full']}`,
      calls: [
        ...(reference === 'snapshot' || reference === 'manifest' ? ['SELECT count(*), sum(hash of row) of each table'] : []),
        ...asked,
        ...(consistency === 'none' ? [] : ['SELECT count(*) of every table, by sequential scan']),
        ...(consistency === undefined || consistency === 'full' ? ['SELECT bt_index_check(index, true), verify_heapam(table) (amcheck made and rolled back where absent)', 'SELECT count(*) of rows that break a constraint'] : []),
      ],
    };
  },
  async run(input, ctx) {
    needs(input.reference, input);
    for (const { sql } of input.invariants ?? []) checkStatement(sql, true);
    const expected = await expectedTables(input, ctx);
    const { rows, indexes } = checksOf(input.consistency ?? 'full');
    const { content, ...found } = await sideBySide(ctx, input.server, (session) => {
      const checks = (list: readonly NamedCheck[]) => async (): Promise<Check[]> =>
        (
          await inTurn(list, async ([name, effect, work]) => {
            const started = performance.now();
            // A crash of the server over a broken page must not hide what the other checks find.
            const result = await session(name, effect, work).catch((error: unknown) => judged(name, error, ctx));
            ctx.log(`${name}: ${Math.round(performance.now() - started)} ms`);
            return result;
          })
        ).flat();
      return {
        content: async () => ({
          tables: await session('content', 'read', (open) => compareTables(open, expected)),
          boundary: await session('markers', 'read', (open) => boundaries(open, input)),
          invariants: await inTurn(input.invariants ?? [], ({ name, sql }) => session('invariants', 'read', (open) => checkInvariant(open, name, sql))),
        }),
        rows: checks(rows),
        indexes: checks(indexes),
      };
    }, input.database);
    const { tables, boundary, invariants } = content;
    const consistency = [...found.rows, ...found.indexes];
    await ctx.evidence('reconciliation', { connection: input.server, reference: input.reference, tables, invariants, consistency, boundary });
    const findings =
      tables.filter(({ expected: want, actual }) => actual === null || want === null || actual.rows !== want.rows || actual.checksum !== want.checksum).length +
      invariants.filter(({ holds }) => !holds).length +
      consistency.filter(({ ok }) => ok === false).length +
      boundary.filter((mark) => mark.expected !== mark.found).length;
    return { tables: tables.length, findings, notRun: consistency.filter(({ ok }) => ok === null).length };
  },
});

type NamedCheck = readonly [name: string, effect: 'read' | 'modify', work: (session: PostgresSession) => Promise<Check[]>];

/** Two lists that take about as long as one another, and as the comparison of content. */
function checksOf(depth: 'full' | 'pages' | 'none'): Record<'rows' | 'indexes', readonly NamedCheck[]> {
  const pages: readonly NamedCheck[] = depth === 'none' ? [] : [['pages', 'read', checkPages]];
  return depth === 'full' ? { rows: [...pages, ['constraints', 'read', checkConstraints]], indexes: [['amcheck', 'modify', checkAmcheck]] } : { rows: pages, indexes: [] };
}

function judged(name: string, error: unknown, ctx: StepContext): Check[] {
  ctx.signal.throwIfAborted();
  return [failedCheck(name, '*', error)];
}

async function expectedTables(input: Static<typeof Input>, ctx: StepContext): Promise<Readonly<Record<string, TableDigest>>> {
  if (input.reference === 'snapshot') return input.snapshot ?? {};
  if (input.reference === 'manifest' && input.manifest !== undefined) return readManifest(input.manifest, await ctx.ports.files.read(input.manifest));
  return {};
}

async function boundaries(session: PostgresSession, { present = [], absent = [] }: Static<typeof Input>): Promise<EvidenceOf<'reconciliation'>['boundary']> {
  const found: EvidenceOf<'reconciliation'>['boundary'] = [];
  for (const [expected, ids] of [['present', present], ['absent', absent]] as const) {
    for (const id of ids) found.push({ name: id, expected, found: (await hasMarker(session, id)) ? 'present' : 'absent' });
  }
  return found;
}

/** Throws StepError `bad-input` when the reference has nothing to hold against. */
function needs(reference: 'snapshot' | 'manifest' | 'invariants' | 'none', given: { readonly snapshot?: unknown; readonly manifest?: unknown; readonly invariants?: unknown }): void {
  if (reference !== 'none' && given[reference] === undefined) throw new StepError('bad-input', `reference: ${reference} needs \`${reference}\``);
  if (Array.isArray(given.invariants) && reference === 'invariants' && given.invariants.length === 0) throw new StepError('bad-input', 'reference: invariants needs at least one invariant');
  if (reference === 'snapshot' && !isUnknown(given.snapshot) && Object.keys(given.snapshot ?? {}).length === 0) throw new StepError('bad-input', 'reference: snapshot needs at least one table');
}
