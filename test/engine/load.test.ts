import { describe, expect, it } from 'vitest';
import { base, breakIn, diagnose, environmentBase } from './load-documents.js';

/** [what, text in the sound document, what stands there instead with ¤ at the error, in the message, in expected, found or hint] */
type Case = readonly [string, string, string, RegExp, RegExp?];

const runbooks: readonly Case[] = [
  ['a syntax error', 'objectives: { rto: 15m, rpo: 60s }', 'objectives: { rto: 15m, rpo: 60s\n¤fault: injected', /YAML/],
  ['a key typed wrong', '  owner: platform-team', '  ¤ownr: platform-team', /unknown key "ownr"/, /did you mean "owner"/],
  ['a key that means nothing', 'fault: injected', 'fault: injected\n¤shoesize: 42', /unknown key "shoesize"/],
  ['a duplicate key', 'fault: injected', 'fault: injected\n¤fault: planned', /"fault" stands here twice/],
  ['a duplicate key in a nested mapping', '{ rto: 15m, rpo: 60s }', '{ rto: 15m, ¤rto: 60s }', /"rto" stands here twice/],
  ['a missing key', '  version: 1.0.0\n', '', /missing key "version"/],
  ['a missing key in a list', '    phase: inject\n', '', /missing key "phase"/, /prepare, inject/],
  ['another kind', 'kind: Runbook', 'kind: ¤Runbok', /this is no Runbook or Environment/, /did you mean "Runbook"/],
  ['another API version', 'muster/v1', '¤muster/v2', /must be "muster\/v1"/],
  ['a version that is none', 'version: 1.0.0', 'version: ¤1.0', /must be text/],
  ['a name with capitals', 'name: base', 'name: ¤Base', /small letters/],
  ['an objective that is no duration', 'rto: 15m', 'rto: ¤15 minutes', /must be a duration/, /15m, 1h30m/],
  ['a number where a duration is wanted', 'timeout: 30s', 'timeout: ¤30', /must be a duration|duration/],
  ['no value', 'owner: platform-team', '¤owner:', /"owner" has no value/],
  ['null', 'timeout: 30s', 'timeout: ¤null', /"timeout" has no value/],
  ['an unknown fault', 'fault: injected', 'fault: ¤injectd', /one of injected, declared or planned/, /did you mean "injected"/],
  ['an unknown phase', 'phase: inject', 'phase: ¤injct', /must be one of/, /did you mean "inject"/],
  ['an unknown step type', 'uses: exec', 'uses: ¤exce', /no step type "exce"/, /did you mean "exec"/],
  ['a mistyped type of a system', 'uses: postgres.sql', 'uses: ¤postgres.sq', /no step type/, /did you mean "postgres.sql"/],
  ['a probe among the steps', '    uses: exec\n', '    uses: ¤http.availability\n', /is a probe, not a step/, /probes stand under/],
  ['a step among the probes', 'uses: http.availability', 'uses: ¤exec', /is a step, not a probe/],
  ['a field of `with` typed wrong', 'until: failing', '¤untill: failing', /unknown key "untill"/, /did you mean "until"/],
  ['a field of `with` of the wrong type', 'atLeast: 0', 'atLeast: ¤zero', /must be a number/, /"zero"/],
  ['a field of `with` that is missing', 'effect: read, ', '', /missing key "effect"/],
  ['a value of `with` that is not one of them', 'until: failing', 'until: ¤broken', /one of failing or healthy/],
  ['`with` that is no mapping', 'with: { for: 1s }\nevidence', 'with: ¤[1s]\nevidence', /"with" must be a mapping/],
  ['no `with` where it is needed', '    with:\n      argv: [echo, "{{ steps.seed.rowCount }}", "{{ env.name }}", "{{ run.id }}"]\n      effect: modify\n', '', /missing key "with"/, /effect/],
  ['an id twice', 'id: break', 'id: ¤seed', /id "seed" is taken by the step in line 18/],
  ['an id twice over branches', 'id: right-one', 'id: ¤left-two', /is taken by the step/],
  ['an id that a probe has', 'id: break', 'id: ¤service', /is taken by the probe in line 16/],
  ['a cleanup with the id of a step', 'id: tidy', 'id: ¤seed', /is taken by the step/],
  ['a phase that goes backwards', 'phase: verify\n    gate: true', 'phase: ¤inject', /backwards from restore to inject/],
  ['a branch that begins before the block', 'phase: decide', 'phase: ¤prepare', /backwards from inject to prepare/],
  ['a branch that goes backwards', 'phase: restore', 'phase: ¤inject', /backwards from detect to inject/],
  ['a step before where the furthest branch came', 'phase: verify\n    gate: true', 'phase: ¤decide', /backwards from restore to decide/],
  ['a gate before verify', 'timeout: 30s', 'gate: ¤true', /only a verify step can be a gate/],
  ['a connection that is not required', 'server: source', 'server: ¤sorce', /not among the runbook's requires/, /did you mean "source"/],
  ['an endpoint where a connection is wanted', 'server: source', 'server: ¤app', /needs a connection of kind postgres/],
  ['a connection where an endpoint is wanted', 'endpoint: app', 'endpoint: ¤copy', /needs an endpoint/],
  ['a probe that does not exist', 'probe: service', 'probe: ¤servise', /no probe "servise"/, /did you mean "service"/],
  ['a connection kind that nothing provides', 'copy: postgres,', 'copy: ¤postgress,', /no connection kind/, /did you mean "postgres"/],
  ['a default of the wrong type', 'default: 10,', 'default: ¤ten,', /must be a whole number/, /"ten"/],
  ['a default below the minimum', 'default: 10,', 'default: ¤0,', /at least 1/],
  ['a default that is not allowed', 'default: 5s', 'default: ¤7s', /one of 5s or 10s/],
  ['an allowed value of the wrong type', 'enum: [5s, 10s]', 'enum: [5s, ¤ten]', /must be a duration/],
  ['a pattern that is none', 'default: orders }', 'default: orders, pattern: ¤"(" }', /no regular expression/],
  ['an evidence kind that does not exist', 'require: [backup]', 'require: [¤backups]', /must be one of/, /did you mean "backup"/],
  ['an input that does not exist', '"{{ inputs.table }}"', '¤"{{ inputs.tabel }}"', /no input "tabel"/, /did you mean "table"/],
  ['a member of an input', '"{{ inputs.table }}"', '¤"{{ inputs.table.name }}"', /single value/],
  ['a path without a root', '"{{ inputs.table }}"', '¤"{{ table }}"', /leads nowhere/, /inputs\.table/],
  ['an environment value that does not exist', '"{{ env.name }}"', '¤"{{ env.host }}"', /no "env.host"/, /env\.name/],
  ['a run value that does not exist', '"{{ run.id }}"', '¤"{{ run.ID }}"', /no "run.ID"/, /run\.id/],
  ['a step that does not exist', 'steps.seed.rowCount', 'steps.sead.rowCount', /no step "sead"/, /did you mean "seed"/],
  ['a step that comes later', 'steps.seed.rowCount', 'steps.check.waitedMs', /"check" comes later/],
  ['its own output', 'steps.seed.rowCount', 'steps.break.exitCode', /its own output/],
  ['a step in a sibling branch', 'steps.left-one.waitedMs', 'steps.right-one.waitedMs', /another parallel branch/],
  ['an output that does not exist', 'steps.seed.rowCount', 'steps.seed.rowcount', /no output "rowcount"/, /did you mean "rowCount"/],
  ['no output named', 'steps.seed.rowCount', 'steps.seed', /names no field/],
  ['a probe that needs what is not yet there', 'every: 200ms', 'every: ¤"{{ steps.break.stdout }}"', /after probes have started/],
  ['a helper', '"{{ inputs.table }}"', '¤"{{ upper inputs.table }}"', /helpers are not allowed/],
  ['a block', '"{{ inputs.table }}"', '¤"{{#if inputs.table}}x{{/if}}"', /blocks are not allowed/],
  ['a triple stash', '"{{ inputs.table }}"', '¤"{{{ inputs.table }}}"', /triple braces/],
  ['a partial', '"{{ inputs.table }}"', '¤"{{> inputs.table }}"', /only a path/],
  ['a template that is not closed', '"{{ inputs.table }}"', '¤"{{ inputs.table"', /not closed/],
  ['a prototype', '"{{ inputs.table }}"', '¤"{{ inputs.__proto__ }}"', /never read/],
  ['a template that is not quoted', '"{{ inputs.slack }}"', '¤{{ inputs.slack }}', /must be quoted/, /"{{ inputs.slack }}"/],
  ['a template in SQL', 'sql: SELECT 1', 'sql: ¤"SELECT {{ inputs.table }}"', /no template is ever put into this text/],
  ['a template outside `with`', 'title: Base', 'title: ¤"{{ inputs.table }}"', /no template can stand here/],
  ['a parallel block in another', '        - id: right-one\n          phase: decide\n          uses: wait\n          with: { for: 1s }', '        - ¤parallel: { inner: [{ id: right-one, phase: decide, uses: wait, with: { for: 1s } }] }', /cannot stand in another/],
  ['an input beside `with`', 'gate: true\n', 'gate: true\n    ¤probe: service\n', /unknown key "probe"/, /stands under `with`/],
  ['an alias in a place where it does not fit', 'timeout: 30s', 'timeout: &t 30s\n    totalTimeout: *t\n    ¤gat: *t', /unknown key "gat"/],
  ['an empty list of steps', base.slice(base.indexOf('steps:'), base.indexOf('cleanup:')), 'steps: ¤[]\n', /must not be empty/],
  ['a second document', 'evidence: { require: [backup] }\n', 'evidence: { require: [backup] }\n---\n¤kind: Runbook\n', /a second document/],
  ['an alias without an anchor', 'owner: platform-team', 'owner: ¤*nobody', /no anchor|alias/i],
  ['a key that is no name', 'objectives: { rto: 15m, rpo: 60s }', 'objectives: ¤{ [1]: 2 }', /a key must be a name/],
  ['the prototype as a key', 'objectives: { rto: 15m, rpo: 60s }', 'objectives: ¤{ __proto__: { rto: 1s } }', /a key must be a name/],
  ['a tag', 'owner: platform-team', 'owner: ¤!!js/function x', /YAML/],
  ['a number too large to hold', 'minimum: 1 }', 'minimum: ¤12345678901234567890 }', /too large/],
];

const environments: readonly Case[] = [
  ['an unknown role', 'role: target', 'role: ¤traget', /must be one of/, /did you mean "target"/],
  ['an unknown provisioner', 'provision: embedded-postgres', 'provision: ¤embeded-postgres', /no provisioner type/, /did you mean "embedded-postgres"/],
  ['a kind that it does not provide', '{ kind: postgres-backups', '{ kind: ¤postgres', /does not provide kind "postgres"/],
  ['an endpoint that leads nowhere', 'to: source', 'to: ¤sorce', /no connection "sorce"/, /did you mean "source"/],
  ['an archive that does not exist', 'archiveTo: backups', 'archiveTo: ¤backup', /no connection "backup"/, /did you mean "backups"/],
  ['an endpoint with the name of a connection', '  app:', '  ¤copy:', /name of a connection/],
  ['an existing endpoint without an address', '  app: { provision: forwarder, to: source }', '  ¤app: { provision: existing }', /needs its address/],
  ['a forbidden address without a port', '"primary:5432"', '¤"primary"', /must be/],
  ['a template', 'metadata: { name: sandbox,', 'metadata: { name: sandbox, title: ¤"{{ inputs.x }}",', /no template can stand here/],
  ['an unknown key of a provisioner', 'archiveTo: backups', '¤archivTo: backups', /unknown key "archivTo"/, /did you mean "archiveTo"/],
  ['an unknown boundary', 'boundary: {}', 'boundary: { ¤kommands: [x] }', /unknown key "kommands"/, /did you mean "commands"/],
];

/** Cases whose error is at the step, the mapping or the template around the change. */
const around: Readonly<Record<string, string>> = {
  'a missing key': 'metadata:',
  'a missing key in a list': 'id: break',
  'a field of `with` that is missing': 'with: { server: source, sql',
  'no `with` where it is needed': 'id: break',
};

function place(what: string, text: string, from: string, to: string) {
  if (to.includes('¤')) return breakIn(text, from, to);
  const anchor = around[what] ?? `"{{ ${to}`;
  return breakIn(breakIn(text, from, to).text, anchor, `¤${anchor}`);
}

function check(sound: string, [what, from, to, message, detail]: Case): void {
  it(`refuses ${what}`, async () => {
    const { text, line, column } = place(what, sound, from, to);
    const found = await diagnose(text);
    expect(found.map(({ position, message: said }) => `${position.line}:${position.column} ${said}`)).toHaveLength(1);
    expect(found[0]?.message).toMatch(message);
    expect({ line: found[0]?.position.line, column: found[0]?.position.column }).toEqual({ line, column });
    if (detail !== undefined) expect([found[0]?.expected, found[0]?.found, found[0]?.hint].join('\n')).toMatch(detail);
  });
}

describe('a runbook', () => {
  it('that is sound is loaded', async () => expect(await diagnose(base)).toEqual([]));
  for (const each of runbooks) check(base, each);

  it('has all its errors reported at once, in the order of the document', async () => {
    const text = base.replace('owner: platform-team', 'ownr: x').replace('phase: inject', 'phase: injct').replace('inputs.slack', 'inputs.slak').replace('for: 1s }\nevidence', 'for: soon }\nevidence');
    const lines = (await diagnose(text)).map((each) => each.position.line);
    expect(lines).toHaveLength(4);
    expect(lines).toEqual(lines.toSorted((a, b) => a - b));
  });

  it('with a mistyped type is not also told that its outputs are unknown', async () => {
    const found = await diagnose(base.replace('uses: postgres.sql', 'uses: postgres.sqll'));
    expect(found.map((each) => each.message)).toEqual(['there is no step type "postgres.sqll"']);
  });
});

describe('an environment', () => {
  it('that is sound is loaded', async () => expect(await diagnose(environmentBase)).toEqual([]));
  for (const each of environments) check(environmentBase, each);
});

describe('a hostile file', () => {
  const first = async (text: string | Uint8Array) => {
    const found = await diagnose(text);
    expect(found).toHaveLength(1);
    return found[0]?.message;
  };

  it('of more than 1 MiB is refused unread', async () => expect(await first(`${base}# ${'x'.repeat(1024 * 1024)}\n`)).toMatch(/too large/));
  it('that is no UTF-8 is refused', async () => expect(await first(new Uint8Array([0xff, 0xfe, 0x00]))).toMatch(/not UTF-8/));
  it('that is empty is refused', async () => expect(await first('')).toMatch(/empty/));
  it('that is no mapping is refused', async () => expect(await first('- a\n- b\n')).toMatch(/this is no Runbook or Environment/));
  it('whose aliases multiply is refused', async () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]', ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[index]}`).join(', ')}]`)].join('\n');
    expect(await first(`${bomb}\n`)).toMatch(/alias/);
  });
  it('whose alias contains itself is refused', async () => expect(await first('a: &a [*a]\n')).toMatch(/contains itself|alias/i));
  it('that is nested without end is refused', async () => expect(await first(`a: ${'['.repeat(50_000)}`)).toMatch(/nested too deeply|YAML/));
  it('that is nested more than 64 deep is refused', async () => expect(await first(`a: ${'['.repeat(70)}${']'.repeat(70)}\n`)).toMatch(/nested too deeply/));
});
