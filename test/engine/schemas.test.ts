import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadDocument } from '../../src/engine/load.js';
import { packageRoot } from '../../src/engine/package-root.js';
import { base, diagnose, environmentBase } from './load-documents.js';

const root = packageRoot();
const runbooks = readdirSync(join(root, 'runbooks')).filter((name) => name.endsWith('.yaml')).map((name) => `runbooks/${name}`);
const environments = readdirSync(join(root, 'runbooks', 'environments')).map((name) => `runbooks/environments/${name}`);

/** An editor's view: any validator of JSON Schema, knowing nothing of ours. */
function editor(name: string) {
  const ajv = new Ajv2020({ allErrors: true, logger: false });
  const validate = ajv.compile(JSON.parse(readFileSync(join(root, 'schemas', `${name}.schema.json`), 'utf8')) as object);
  return (text: string) => (validate(parse(text)) ? [] : (validate.errors ?? []).filter((error) => error.keyword !== 'if').map((error) => `${error.instancePath} ${error.message}`));
}

describe('the schemas for editors', () => {
  const runbook = editor('runbook');
  const environment = editor('environment');

  it.each(runbooks)('accept %s', (path) => expect(runbook(readFileSync(join(root, path), 'utf8'))).toEqual([]));
  it.each(environments)('accept %s', (path) => expect(environment(readFileSync(join(root, path), 'utf8'))).toEqual([]));
  it('accept the sound documents of the loader tests', () => expect([...runbook(base), ...environment(environmentBase)]).toEqual([]));
});

describe('every shipped document', () => {
  it.each([...runbooks, ...environments])('%s is loaded', async (path) => {
    const { kind } = await loadDocument(path, root);
    expect(kind).toBe(path.includes('environments') ? 'Environment' : 'Runbook');
  });
});

describe('one wrong field gives one error, in an editor and here:', () => {
  const wrong: readonly (readonly [string, string, string])[] = [
    ['a literal', 'muster/v1', 'muster/v9'],
    ['a pattern', 'version: 1.0.0', 'version: 1.0'],
    ['an enumeration', 'fault: injected', 'fault: none'],
    ['a duration', 'timeout: 30s', 'timeout: soon'],
    ['a type', 'retry: { attempts: 2, delay: 1s }', 'retry: { attempts: two, delay: 1s }'],
    ['an unknown key of a step', 'timeout: 30s', 'timeou: 30s'],
    ['an unknown key of the document', 'fault: injected', 'fault: injected\nextra: 1'],
    ['an unknown step type', 'uses: exec', 'uses: exce'],
    ['an unknown probe type', 'uses: http.availability', 'uses: http.availabilty'],
    ['a missing key of a step', '    phase: inject\n', ''],
    ['a field of `with`', 'atLeast: 0', 'atLeast: zero'],
    ['an unknown field of `with`', 'sql: SELECT 1, effect: read', 'sql: SELECT 1, effect: read, sqll: SELECT 1'],
    ['an enumeration in `with`', 'until: failing', 'until: broken'],
    ['a duration of a probe', 'every: 200ms', 'every: often'],
    ['a missing field of `with`', 'effect: read, ', ''],
    ['a list in `with`', 'argv: [echo, "{{ steps.seed.rowCount }}", "{{ env.name }}", "{{ run.id }}"]', 'argv: echo'],
    ['a member of a list in `with`', 'argv: [echo,', 'argv: [[echo],'],
    ['a step in a branch', 'phase: decide', 'phase: decided'],
    ['a field of `with` in a branch', 'for: 1s }\n  - id: check', 'for: later }\n  - id: check'],
    ['a cleanup step', 'cleanup:\n  - id: tidy\n    uses: wait\n    with: { for: 1s }', 'cleanup:\n  - id: tidy\n    uses: wait\n    with: { for: [1s] }'],
    ['an evidence kind', 'require: [backup]', 'require: [backups]'],
    ['an input type', 'type: integer', 'type: int'],
  ];
  const validate = editor('runbook');

  it.each(wrong)('%s', async (_, from, to) => {
    expect(base).toContain(from);
    const text = base.replace(from, to);
    expect(validate(text)).toHaveLength(1);
    expect((await diagnose(text)).map((each) => each.message)).toHaveLength(1);
  });
});
