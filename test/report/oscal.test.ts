import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Ajv as AjvClass } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DrillEvent } from '../../src/engine/events.js';
import { reportOscal } from '../../src/report/oscal.js';
import { uuidOf } from '../../src/report/uuid.js';
import { hostile, inputOf, type DrillOptions } from './lib/drills.js';
import { brokenRules, danglingReferences } from './lib/oscal-rules.js';

const schemaFile = process.env['OSCAL_AR_SCHEMA'] ?? '';
const official = existsSync(schemaFile);
if (!official) process.stderr.write('NOT RUN: OSCAL reports against the official schema. OSCAL_AR_SCHEMA names no copy of oscal_assessment-results_schema.json: an asset of the releases of usnistgov/OSCAL, 1.2.1 or later (docs/bundle.md)\n');

/** NIST's own schema, of Assessment Results or of all models, where there is a copy. */
const compiled = official ? officialValidator() : undefined;

function officialValidator() {
  const require = createRequire(import.meta.url);
  const { Ajv } = require('ajv') as { Ajv: typeof AjvClass };
  const addFormats = require('ajv-formats') as (ajv: AjvClass) => void;
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  return ajv.compile(JSON.parse(readFileSync(schemaFile, 'utf8')) as object);
}

function officialErrors(document: unknown): unknown {
  compiled?.(document);
  return compiled?.errors ?? [];
}

const drills = {
  passed: {},
  failed: { failAt: 'restore' },
  'without controls': { controls: [] },
  'of another framework': { controls: ['soc2/A1.3', 'nist-800-53/', 'nist-800-53/CP-4'] },
  hostile: { hostile, controls: [hostile, 'nist-800-53/CP-10'] },
  'not observed all the time': { every: 1500 },
  'outside a sandbox': { sandbox: false, rtoMs: 1000, failAt: 'content' },
  cancelled: { edit: (events: DrillEvent[]) => events.toSpliced(-1, 0, { ...(events[0] as DrillEvent), type: 'cancel.requested', data: { by: 'sam' } }) },
} as const satisfies Record<string, DrillOptions>;

describe.each(Object.entries(drills))('OSCAL of a drill: %s', (_, options) => {
  const document: unknown = JSON.parse(reportOscal(inputOf(options)));

  it('is what OSCAL 1.2.1 demands', () => expect(brokenRules(document)).toEqual([]));
  it('has no reference that leads nowhere', () => expect(danglingReferences(document)).toEqual([]));
  it.skipIf(!official)('holds to the official schema', () => expect(officialErrors(document)).toEqual([]));
});

describe('OSCAL', () => {
  type Results = { 'assessment-results': { 'import-ap': { href: string }; results: { props: { name: string; value: string }[]; findings?: { target: { 'target-id': string; status: { state: string; reason: string } } }[]; 'reviewed-controls': object }[]; 'back-matter': { resources: { uuid: string; rlinks: { href: string; hashes: { value: string }[] }[] }[] } } };
  const read = (options: Parameters<typeof inputOf>[0]) => (JSON.parse(reportOscal(inputOf(options))) as Results)['assessment-results'];

  it('says of each control that the runbook names whether this drill was passed', () => {
    const controls = ['nist-800-53/CP-4', 'nist-800-53/CP-9(1)', 'soc2/A1.3'];
    const targets = (options: object) => read({ controls, ...options }).results[0]?.findings?.map(({ target }) => [target['target-id'], target.status.state]);
    expect(targets({})).toEqual([['cp-4_obj.a-1', 'satisfied'], ['cp-4_obj.b', 'satisfied'], ['cp-9.1_obj-1', 'satisfied']]);
    expect(targets({ failAt: 'restore' })).toEqual([['cp-4_obj.a-1', 'not-satisfied'], ['cp-4_obj.b', 'not-satisfied'], ['cp-9.1_obj-1', 'not-satisfied']]);
    expect(read({ controls: [] }).results[0]?.findings).toBeUndefined();
  });

  it('leads to the runbook and to the evidence by their digests', () => {
    const input = inputOf();
    const { 'import-ap': plan, 'back-matter': back } = read({});
    const found = back.resources.find(({ uuid }) => `#${uuid}` === plan.href);
    expect(found?.rlinks[0]).toMatchObject({ href: 'runbook.yaml', hashes: [{ algorithm: 'SHA-256', value: input.plan.binding.runbook.sha256 }] });
    for (const file of input.files.filter(({ path }) => path.startsWith('evidence/'))) expect(back.resources.some(({ rlinks }) => rlinks[0]?.href === file.path && rlinks[0].hashes[0]?.value === file.sha256)).toBe(true);
  });

  it('gives the figures that the verdict was derived from', () => {
    const props = new Map(read({}).results[0]?.props.map(({ name, value }) => [name, value]));
    expect(props.get('rto-ms')).toBe('8051');
    expect(props.get('rto-objective-ms')).toBe('900000');
    expect(props.get('verdict')).toBe('passed');
    expect(new Map(read({ failAt: 'restore' }).results[0]?.props.map(({ name, value }) => [name, value])).has('rto-ms')).toBe(false);
  });

  it('is the same whenever it is made, and another for another drill', () => {
    expect(reportOscal(inputOf())).toBe(reportOscal(inputOf()));
    expect(read({ at: '2026-11-21T07:00:00Z' }).results[0]).not.toEqual(read({}).results[0]);
    expect(uuidOf('a')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
  });

  it('holds no Markdown of others', () => {
    const document = JSON.parse(reportOscal(inputOf({ hostile, failAt: 'restore' }))) as unknown;
    const prose: string[] = [];
    const walk = (value: unknown, key: string): void => {
      if (typeof value === 'string' && ['title', 'description', 'remarks'].includes(key)) prose.push(value);
      else if (typeof value === 'object' && value !== null) for (const [name, member] of Object.entries(value)) walk(member, name);
    };
    walk(document, '');
    expect(prose.some((text) => text.includes('alert'))).toBe(true);
    for (const text of prose) expect(text).not.toMatch(/<(?!!-- -->)|(?<!\\)\]\(|(?!\n)[\p{Cc}\p{Cf}]|^# /mu);
  });
});

/** What people decided about each finding since. */
const decidedInput = () => {
  const input = inputOf({ failAt: 'restore' });
  return { ...input, decided: input.drill.reasons.map(({ code, step }, index) => ({ id: `F-${index}`, code, step: step ?? null, words: `risk accepted by alice until 2027-01-31: ${hostile}` })) };
};

describe('OSCAL with what was decided since', () => {
  const document: unknown = JSON.parse(reportOscal(decidedInput()));
  it('is what OSCAL demands', () => expect(brokenRules(document)).toEqual([]));
  it.skipIf(!official)('holds to the official schema', () => expect(officialErrors(document)).toEqual([]));
  it('says it beside the reason that it is about', () => {
    const { observations } = (document as { 'assessment-results': { results: { observations: { title: string; remarks?: string }[] }[] } })['assessment-results'].results[0] ?? { observations: [] };
    expect(observations.find(({ title }) => title === 'step-failed')?.remarks).toContain('risk accepted by alice until 2027-01-31');
    expect(observations.find(({ title }) => title === 'RTO')?.remarks).toBeUndefined();
  });
});

describe('any text of others', () => {
  const word = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t', '\u2028', '\u2029', '\u0085', '\ufeff', '\u00a0', 'a', '#') }));
  it('leaves it what OSCAL demands', () => {
    fc.assert(fc.property(word, (text) => {
      const input = inputOf({ failAt: 'restore' });
      const runbook = { ...input.runbook, metadata: { ...input.runbook.metadata, owner: text, controls: [text] }, objectives: { ...input.runbook.objectives, approved: { by: text, on: '2026-01-01' } } };
      const drill = { ...input.drill, title: text, reasons: input.drill.reasons.map((reason) => ({ ...reason, detail: text })), notProved: [text] };
      const events = input.events.map((event) => (event.type === 'run.started' ? { ...event, data: { ...event.data, operator: text, authenticated: [{ by: 'key' as const, as: text }] } } : event));
      const document: unknown = JSON.parse(reportOscal({ ...input, runbook, drill, events }));
      expect([brokenRules(document), officialErrors(document)]).toEqual([[], []]);
    }), { numRuns: 60 });
  });
});

interface Place {
  readonly path: string;
  readonly value: unknown;
  readonly put: (value: unknown) => void;
}

/** Every member and item below `value`. */
function places(value: unknown, path = ''): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.entries(parent).flatMap(([key, member]) => [{ path: `${path}/${key}`, value: member, put: (other: unknown) => void (parent[key] = other) }, ...places(member, `${path}/${key}`)]);
}

/** What nobody may write in the place of a value; `undefined` takes the member away. */
function breaches({ path, value }: Place): unknown[] {
  if (Array.isArray(value)) return [[], [...(value as unknown[]), null], {}, 'text'];
  if (typeof value === 'object') return [{}, { ...value, unknown: 'member' }, [], 'text', null];
  const forms = ['', ' ', 1, true, null, [], {}, ['x']];
  const text = typeof value === 'string' ? value : '';
  if (/\/(?:title|name|version|value|media-type|type|state|oscal-version)$/.test(path)) forms.push(`${text}\n${text}`);
  if (/uuid/.test(path)) forms.push(text.slice(1), `${text.slice(0, 14)}7${text.slice(15)}`, `${text}0`, 'g'.repeat(36));
  if (/\/(?:start|end|collected|last-modified)$/.test(path)) forms.push(text.replace(/Z$/, ''), text.slice(0, 10), text.replace('-11-', '-13-'), text.replace('T07', 'T24'), text.replace('T', ' '), '2026-02-29T00:00:00Z');
  if (/\/(?:role-id|id|control-id|target-id|props\/\d+\/name|reason)$/.test(path)) forms.push(`1${text}`, `${text} x`, `${text}(1)`, `a:${text}`);
  if (/\/(?:methods\/\d+|state|algorithm)$/.test(path)) forms.push(text.toLowerCase().split('').toReversed().join(''), `${text}S`);
  if (path.endsWith('/href')) forms.push('a b', 'a"b', '%zz', '<x>');
  if (path.endsWith('/ns')) forms.push('no scheme', '//host/x');
  return forms;
}

describe('the rules of the test', () => {
  const document = () => JSON.parse(reportOscal(decidedInput())) as { 'assessment-results': { results: [{ observations: object[]; title?: string }]; 'back-matter': { resources: { uuid: string }[] } } };

  it('see every breach, wherever it stands', () => {
    const whole = document();
    expect(brokenRules(whole)).toEqual([]);
    const unseen: string[] = [];
    for (const place of places(whole)) {
      for (const breach of breaches(place)) {
        place.put(breach);
        if (brokenRules(whole).length === 0) unseen.push(`${place.path}: ${JSON.stringify(breach)}`);
      }
      place.put(place.value);
    }
    expect(unseen).toEqual([]);
    expect(brokenRules(whole)).toEqual([]);
  });

  it.skipIf(!official)('miss nothing that the official schema sees', () => {
    const whole = document();
    const missed: string[] = [];
    const seen = new Set<string>();
    const look = (what: string) => {
      const written: unknown = JSON.parse(JSON.stringify(whole));
      if (compiled?.(written) === false && brokenRules(written).length === 0) missed.push(what);
    };
    for (const place of places(whole)) {
      // One of each kind is enough.
      const kind = place.path.replaceAll(/\d+/g, '*');
      if (seen.has(kind)) continue;
      seen.add(kind);
      for (const breach of [...breaches(place), undefined]) {
        place.put(breach);
        look(`${place.path}: ${JSON.stringify(breach)}`);
      }
      place.put(place.value);
    }
    expect(missed).toEqual([]);
  });

  it('see a member that is missing and a reference that leads nowhere', () => {
    const untitled = document();
    delete untitled['assessment-results'].results[0].title;
    expect(brokenRules(untitled)).toEqual(['/assessment-results/results/0: title is missing']);
    const dangling = document();
    dangling['assessment-results']['back-matter'].resources.splice(1);
    expect(danglingReferences(dangling)).not.toEqual([]);
  });
});
