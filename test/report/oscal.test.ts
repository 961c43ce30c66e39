import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Ajv as AjvClass } from 'ajv';
import { describe, expect, it } from 'vitest';
import { reportOscal } from '../../src/report/oscal.js';
import { uuidOf } from '../../src/report/uuid.js';
import { hostile, inputOf } from './lib/drills.js';
import { brokenRules, danglingReferences } from './lib/oscal-rules.js';

const schemaFile = process.env['OSCAL_AR_SCHEMA'] ?? '';

/** NIST's own schema (usnistgov/OSCAL, release 1.2.1, oscal_assessment-results_schema.json), where there is a copy. */
function officialErrors(document: unknown): unknown {
  const require = createRequire(import.meta.url);
  const { Ajv } = require('ajv') as { Ajv: typeof AjvClass };
  const addFormats = require('ajv-formats') as (ajv: AjvClass) => void;
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync(schemaFile, 'utf8')) as object);
  validate(document);
  return validate.errors ?? [];
}

const drills = {
  passed: {},
  failed: { failAt: 'restore' },
  'without controls': { controls: [] },
  'of another framework': { controls: ['soc2/A1.3', 'nist-800-53/', 'nist-800-53/CP-4'] },
  hostile: { hostile, controls: [hostile, 'nist-800-53/CP-10'] },
} as const;

describe.each(Object.entries(drills))('OSCAL of a drill: %s', (_, options) => {
  const document: unknown = JSON.parse(reportOscal(inputOf(options)));

  it('is what OSCAL 1.2.1 demands', () => expect(brokenRules(document)).toEqual([]));
  it('has no reference that leads nowhere', () => expect(danglingReferences(document)).toEqual([]));
  it.skipIf(!existsSync(schemaFile))('holds to the official schema', () => expect(officialErrors(document)).toEqual([]));
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

describe('the rules of the test', () => {
  const document = () => JSON.parse(reportOscal(inputOf())) as { 'assessment-results': { results: [{ observations: object[]; title?: string }]; 'back-matter': { resources: { uuid: string }[] } } };
  it('see what is wrong', () => {
    expect(brokenRules(document())).toEqual([]);
    const empty = document();
    empty['assessment-results'].results[0].observations = [];
    expect(brokenRules(empty)).not.toEqual([]);
    const untitled = document();
    delete untitled['assessment-results'].results[0].title;
    expect(brokenRules(untitled)).toEqual(['/assessment-results/results/0: title is missing']);
    const dangling = document();
    dangling['assessment-results']['back-matter'].resources.splice(1);
    expect(danglingReferences(dangling)).not.toEqual([]);
  });
});
