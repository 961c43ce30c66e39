import { describe, expect, it } from 'vitest';
import { compareListings, digestOfListing } from '../../../src/steps/postgres/lib/archive-listing.js';
import { readHistory, readRecovery, toUtc } from '../../../src/steps/postgres/lib/recovery-log.js';
import { bindIdentifiers, checkStatement } from '../../../src/steps/postgres/lib/sql-text.js';
import { normalizeTarget } from '../../../src/steps/postgres/lib/target.js';
import { walFile } from '../../../src/steps/postgres/lib/wal-name.js';
import { sha256 } from '../../../src/engine/canonical.js';

const quote = (name: string) => name.split('.').map((part) => `"${part.replaceAll('"', '""')}"`).join('.');

describe('the text of postgres.sql', () => {
  it.each([
    ['a second statement', 'SELECT 1; DROP TABLE orders'],
    ['a second statement behind a comment', 'SELECT 1; -- ;\n DROP TABLE orders'],
    ['one that hides behind an identifier with dollars', 'SELECT 1 AS a$b$; DROP TABLE orders; --$b$'],
    ['one that hides behind an escaped quote', "SELECT E'\\''; DROP TABLE orders; --'"],
    ['one behind a nested comment', 'SELECT 1 /* /* */ ; */; DROP TABLE orders'],
    ['a template', 'DROP TABLE {{ inputs.table }}'],
    ['a transaction of its own', 'COMMIT'],
    ['nothing', ' /* nothing */ '],
  ])('refuses %s', (_, sql) => {
    expect(() => checkStatement(sql, false)).toThrow(expect.objectContaining({ code: 'bad-sql' }));
  });

  it.each(['DELETE FROM orders', 'COPY orders TO PROGRAM \'true\'', 'SET default_transaction_read_only = off', 'DO $$ BEGIN END $$'])('refuses %s where reading is meant', (sql) => {
    expect(() => checkStatement(sql, true)).toThrow(expect.objectContaining({ code: 'bad-sql' }));
    expect(() => checkStatement(sql, false)).not.toThrow();
  });

  it.each(["SELECT ';' AS \";\" -- ; still\n", 'SELECT $tag$ ; $$ ; $tag$;', "SELECT E'\\';' ;", 'SELECT 1 /* ; /* ; */ ; */', ' ( SELECT 1 )', "SELECT U&'\\0441';"])('takes %s as one statement', (sql) => {
    expect(() => checkStatement(sql, true)).not.toThrow();
  });

  it('replaces placeholders by quoted names, and only where they are code', () => {
    const sql = `SELECT ':"t"', a::"char", $$:"t"$$ FROM :"t" -- :"t"`;
    expect(bindIdentifiers(sql, { t: 'shop.or"ders' }, quote)).toBe(`SELECT ':"t"', a::"char", $$:"t"$$ FROM "shop"."or""ders" -- :"t"`);
  });

  it('wants every placeholder named and every name used', () => {
    expect(() => bindIdentifiers('DROP TABLE :"table"', {}, quote)).toThrow(/:"table"/);
    expect(() => bindIdentifiers('DROP TABLE orders', { table: 'orders' }, quote)).toThrow(/table/);
  });
});

describe('a restore target', () => {
  it.each([
    ['2026-11-20T07:30:00.123456Z', '2026-11-20 07:30:00.123456+00'],
    ['2026-11-20 08:30:00+01', '2026-11-20 08:30:00+01'],
    ['2026-11-20T13:00:00.5+05:30', '2026-11-20 13:00:00.5+05:30'],
  ])('takes the time %s', (value, sent) => {
    expect(normalizeTarget({ type: 'time', value }).value).toBe(sent);
  });

  it.each([
    { type: 'time', value: '2026-11-20T07:30:00' },
    { type: 'time', value: 'yesterday' },
    { type: 'time', value: '2026-13-20T07:30:00Z' },
    { type: 'time' },
    { type: 'lsn', value: '12345' },
    { type: 'xid', value: '0x12' },
    { type: 'name', value: 'x'.repeat(64) },
    { type: 'name', value: 'x', inclusive: false },
    { type: 'latest', value: 'x' },
    { type: 'immediate', inclusive: true },
  ] as const)('refuses $type $value', (target) => {
    expect(() => normalizeTarget(target)).toThrow(expect.objectContaining({ code: 'bad-target' }));
  });
});

describe('the log of a recovery', () => {
  const log = (...lines: string[]) => ['LOG:  starting point-in-time recovery to "x"', 'LOG:  redo starts at 0/2000028', ...lines, 'LOG:  archive recovery complete', 'LOG:  database system is ready to accept connections'].map((line) => `2026-11-20 07:30:00.000 UTC [1] ${line}`);

  it('takes what stopped it, in UTC and to the microsecond', () => {
    const read = readRecovery(log('LOG:  recovery stopping before commit of transaction 748, time 2026-11-20 13:00:00.123456+05:30', 'LOG:  redo done at 0/3000110 system usage: CPU: user: 0.00 s', 'LOG:  last completed transaction was at log time 2026-11-20 07:29:59.9+00'));
    expect(read).toMatchObject({ stop: { kind: 'before', xid: '748', time: '2026-11-20T07:30:00.123456Z' }, replayEndLsn: '0/3000110', lastTransactionAt: '2026-11-20T07:29:59.9Z' });
  });

  it('does not believe what a client made the server log afterwards', () => {
    const read = readRecovery([...log('LOG:  redo done at 0/3000110 system usage'), 'x LOG:  recovery stopping after reaching consistency']);
    expect(read?.stop).toEqual({ kind: 'end-of-wal' });
  });

  it('says nothing about a server that did not recover from an archive', () => {
    expect(readRecovery(['x LOG:  database system was shut down at 2026-11-20 07:30:00 UTC', 'x LOG:  database system is ready to accept connections'])).toBeNull();
  });

  it('reads offsets and history files', () => {
    expect(toUtc('2026-01-01 00:30:00.000001+01')).toBe('2025-12-31T23:30:00.000001Z');
    expect(toUtc('2026-01-01 00:30:00 CET')).toBeNull();
    expect(readHistory('1\t0/3000168\tbefore 2026\n\n# remark\n2\t1/A0\tno recovery target specified\n')).toEqual([{ timeline: 1, switchLsn: '0/3000168' }, { timeline: 2, switchLsn: '1/A0' }]);
  });
});

describe('the archive', () => {
  it('knows where a segment ends, whatever its size', () => {
    expect(walFile('000000020000000A000000FF', 16n * 1024n * 1024n)).toEqual({ timeline: 2, endLsn: 'B/0', segment: '000000020000000A000000FF' });
    expect(walFile('000000010000000000000003', 1024n * 1024n)?.endLsn).toBe('0/400000');
    expect(walFile('000000010000000000000003.00000028.backup', 16n * 1024n * 1024n)?.endLsn).toBe('0/4000000');
    for (const name of ['00000002.history', '000000010000000000000003.partial', 'x']) expect(walFile(name, 16n * 1024n * 1024n)).toBeNull();
  });

  it('tells added, removed and changed files, also when only the time of one differs', () => {
    const file = (name: string, size = 16, modifiedMs = 1) => ({ name, size, modifiedMs, timeline: 1 });
    const before = [file('b'), file('a'), file('c'), file('d')];
    expect(compareListings(before, [file('a'), file('b', 17), file('c', 16, 2), file('e')])).toEqual({ added: [{ name: 'e', timeline: 1 }], removed: ['d'], changed: ['b', 'c'] });
    expect(digestOfListing(before)).toBe(sha256('a 16\nb 16\nc 16\nd 16\n'));
  });
});
