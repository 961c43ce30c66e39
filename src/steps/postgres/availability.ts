import { Type } from 'typebox';
import type { PostgresAddress } from '../../clients/postgres/port.js';
import { defineProbe } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { Duration, FixedText, strict } from '../../engine/schema.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { availabilityTable, sampleOnce } from './lib/availability.js';
import { Client } from './lib/client.js';
import { addressOf, Endpoint, Server, showAddress, Table } from './lib/inputs.js';
import { onOwnTable, onTables, rights, rightsOfStatement } from './lib/rights.js';
import { every } from './lib/loop.js';
import { probeRows, removeProbeRows } from './lib/own-rows.js';
import { checkStatement } from './lib/sql-text.js';

const Control = Type.Object({ server: Type.Optional(Server('A server that the drill does not touch')), endpoint: Type.Optional(Endpoint('An address that the drill does not touch')) }, strict);

export const probe = defineProbe({
  type: 'postgres.availability',
  summary: 'Reads and writes through an endpoint like a client, again and again: its samples decide when the service was down and when it came back.',
  input: Type.Object(
    {
      endpoint: Endpoint(),
      table: Type.Optional(Table('The service is healthy only while this table can be read.')),
      read: Type.Optional(FixedText('A query that must succeed, beside or instead of reading `table`; it takes no template')),
      every: Type.Optional(Duration('Interval; default 200ms.')),
      timeout: Type.Optional(Duration('How long one sample may take; default: the interval, at least 1s.')),
      control: Type.Optional({ ...Control, description: 'Sampled beside it, to tell an outage of the runner or its network from one of the service' }),
    },
    strict,
  ),
  samples: 'availability',
  changes: (input) => [{ system: `endpoint:${inWords(membersOf(input).endpoint)}`, object: `table ${availabilityTable}` }],
  permissions: (input) => {
    const { endpoint, table, read } = membersOf(input);
    return rights(endpoint, [...(table === undefined ? [] : onTables(table, ['SELECT'])), ...(typeof read === 'string' ? rightsOfStatement(read, {}) : []), ...onOwnTable(availabilityTable, ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])]);
  },
  examples: [
    { title: 'Reads of one table', with: { endpoint: 'app', table: 'orders', every: '200ms' } },
    { title: 'A query of your own, and a control', with: { endpoint: 'app', read: 'SELECT id FROM orders ORDER BY id DESC LIMIT 1', every: '1s', control: { server: 'copy' } } },
  ],
  cleanups: { remove: { summary: "Deletes the probe's row from the servers that the endpoint led to, and the table when nothing else is in it", run: (data, _identity, ctx) => removeProbeRows(ctx, data, availabilityTable, 'probe') } },
  plan(input) {
    const { endpoint, table, read, every: interval, control } = membersOf(input);
    if (read !== undefined && !isUnknown(read)) checkStatement(read, true);
    const reads = [...(table === undefined ? [] : [`SELECT FROM ${inWords(table)} LIMIT 1`]), ...(read === undefined ? [] : [inWords(read)])];
    return {
      does: `Reads and writes through endpoint ${inWords(endpoint)} every ${interval === undefined ? '200ms' : inWords(interval)}${control === undefined || isUnknown(control) ? '' : `, and asks ${showAddress(control)} beside it`}`,
      calls: [...(reads.length === 0 ? ['SELECT 1'] : reads), `INSERT INTO ${availabilityTable} ... ON CONFLICT DO UPDATE (one row)`],
    };
  },
  async start(input, ctx) {
    if (input.read !== undefined) checkStatement(input.read, true);
    const everyMs = parseDuration(input.every ?? '200ms');
    const timeout = input.timeout === undefined ? Math.max(everyMs, 1_000) : parseDuration(input.timeout);
    if (timeout === 0) throw new StepError('bad-input', 'a `timeout` of 0 lets no sample succeed');
    const connect = (address: PostgresAddress, effect: 'read' | 'modify', label: string) => () => ctx.ports.postgres.connect(address, { effect, label, connectTimeoutMs: timeout });
    const client = new Client(ctx.clock, connect({ endpoint: input.endpoint }, 'modify', ctx.probe));
    const control = input.control === undefined ? undefined : new Client(ctx.clock, connect(addressOf(input.control), 'read', `${ctx.probe}-control`));
    const what = { table: input.table, read: input.read, key: `${ctx.runId}/${ctx.probe}` };
    await ctx.defer({ uses: 'postgres.availability/remove', with: probeRows(ctx, input.endpoint, what.key) });
    const loop = every(ctx.clock, everyMs, ctx.signal, async () => {
      const sent = ctx.clock.now();
      const asked = control === undefined ? null : control.run(timeout, async (session) => (await session.query('SELECT 1')).rowCount === 1).catch(() => false);
      const result = await sampleOnce(client, what, timeout);
      const done = ctx.clock.now();
      const answered = asked === null ? null : await asked;
      ctx.sample({ type: 'probe.sample', data: { probe: ctx.probe, endpoint: input.endpoint, ...result, control: answered, sent, done } });
    });
    return {
      async stop() {
        await loop.stop();
        await Promise.all([client.close(), control?.close()]);
      },
    };
  },
});
