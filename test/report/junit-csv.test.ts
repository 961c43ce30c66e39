import { describe, expect, it } from 'vitest';
import { csv, reportCsv } from '../../src/report/csv.js';
import { reportJunit } from '../../src/report/junit.js';
import { hostile, inputOf } from './lib/drills.js';

/** Throws on anything that is not well-formed; gives the elements in order. */
function parseXml(xml: string): { name: string; attributes: Record<string, string>; text: string }[] {
  if (/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(xml)) throw new Error('a character that XML cannot hold');
  const open: string[] = [];
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  let rest = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>/, '');
  while (rest !== '') {
    const [all, text = '', end, name = '', attributes = '', self] = /^([^<&]*(?:&(?:amp|lt|gt|quot|apos);[^<&]*)*)(?:<(\/)?([a-z]+)((?: [a-z]+="[^"<]*")*)(\/)?>|$)/.exec(rest) ?? [];
    if (all === undefined || all === '') throw new Error(`not well-formed: ${rest.slice(0, 80)}`);
    rest = rest.slice(all.length);
    const last = found.at(-1);
    if (last !== undefined && text.trim() !== '') last.text += text;
    if (name === '') continue;
    if (end === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> ends nothing`);
      continue;
    }
    found.push({ name, attributes: Object.fromEntries([...attributes.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value])), text: '' });
    if (self !== '/') open.push(name);
  }
  if (open.length > 0) throw new Error(`${open.join(', ')} is not ended`);
  return found;
}

describe('JUnit', () => {
  it('of a passed drill has a case for each step, objective and required kind, and none that failed', () => {
    const input = inputOf();
    const elements = parseXml(reportJunit(input));
    const cases = elements.filter(({ name }) => name === 'testcase');
    expect(cases.map(({ attributes }) => attributes['name'])).toEqual([...input.drill.steps.map(({ id }) => id), 'RTO Recovery time', 'RPO Data loss', ...['backup', 'restore-target', 'wal-end', 'reconciliation', 'health-checks'].toSorted((a, b) => input.drill.evidence.findIndex(({ kind }) => kind === a) - input.drill.evidence.findIndex(({ kind }) => kind === b)), 'passed']);
    expect(elements[0]?.attributes).toMatchObject({ failures: '0', errors: '0', skipped: '0', tests: String(cases.length), time: '19.701' });
  });

  it('of a failed drill is red, with each reason', () => {
    const input = inputOf({ failAt: 'restore' });
    const elements = parseXml(reportJunit(input));
    const verdict = elements.findIndex(({ attributes }) => attributes['classname'] === 'pitr-restore.verdict');
    expect(elements[verdict + 1]).toMatchObject({ name: 'failure', attributes: { type: 'failed' } });
    for (const { code } of input.drill.reasons) expect(elements[verdict + 1]?.text).toContain(code);
    expect(elements.filter(({ name }) => name === 'skipped')).toHaveLength(input.drill.steps.filter(({ status }) => status === 'skipped').length);
    expect(Number(elements[0]?.attributes['failures'])).toBe(2);
  });

  it('of an incomplete drill is no success either', () => {
    const input = inputOf({ edit: (events) => events.filter((event) => !(event.type === 'evidence.recorded' && event.data.kind === 'health-checks')) });
    expect(input.drill.verdict).toBe('incomplete');
    const elements = parseXml(reportJunit(input));
    expect(Number(elements[0]?.attributes['errors'])).toBeGreaterThanOrEqual(2);
  });

  it('stays well-formed whatever the texts of others hold', () => {
    const xml = reportJunit(inputOf({ hostile: `${hostile}\uFFFE<![CDATA[ \u0000 & </testsuite>`, failAt: 'restore' }));
    const elements = parseXml(xml);
    expect(elements.some(({ name }) => name === 'script')).toBe(false);
    expect(elements.find(({ name }) => name === 'testsuite')?.attributes['name']).toContain('&lt;script&gt;');
  });
});

describe('CSV', () => {
  it('has a line for each step with times in milliseconds', () => {
    const input = inputOf();
    const lines = reportCsv(input).trimEnd().split('\r\n');
    expect(lines).toHaveLength(input.drill.steps.length + 1);
    expect(lines.find((line) => line.includes(',restore,postgres') || line.includes(',restore,,postgres'))).toBe(`${input.drill.run},passed,restore,restore,,postgres.restore,succeeded,1,10900,4500,0,0,`);
  });

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '  =1', '\uFF1D1', '%0A=1', '|cmd', '"=1'])('never gives a spreadsheet a formula: %j', (text) => {
    const [, line = ''] = csv(['a'], [[text]]).split('\r\n');
    const value = line.startsWith('"') ? line.slice(1, -1).replaceAll('""', '"') : line;
    expect(value).not.toMatch(/^\s*[=+\-@|%\t\r\uFF1D]/);
  });

  it('keeps commas, quotes and line feeds of others in their cell', () => {
    expect(csv(['a', 'b'], [['x,"y"\nz', 1]])).toBe('a,b\r\n"x,""y"" z",1\r\n');
    const lines = reportCsv(inputOf({ hostile: `,",\n${hostile}`, failAt: 'restore' })).split('\r\n');
    expect(lines).toHaveLength(inputOf({ failAt: 'restore' }).drill.steps.length + 2);
  });
});
