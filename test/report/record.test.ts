import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { journalKinds } from '../../src/engine/kinds/journal.js';
import { evidenceKinds } from '../../src/engine/kinds/index.js';
import type { DrillEvent, EventOf } from '../../src/engine/events.js';
import { packageRoot } from '../../src/engine/package-root.js';
import { derive } from '../../src/engine/verdict.js';
import { payloadTexts } from '../../src/evidence/texts.js';
import { reportHtml } from '../../src/report/html.js';
import { reportMarkdown } from '../../src/report/markdown.js';
import { reportModel, type ReportInput } from '../../src/report/model.js';
import { reportOscal } from '../../src/report/oscal.js';
import { drillRun, inputOf } from './lib/drills.js';

/** The sample's input with other facts in its first event. */
function startedWith(data: Partial<EventOf<'run.started'>['data']>, input = inputOf()): ReportInput {
  return { ...input, events: input.events.map((event) => (event.type === 'run.started' ? { ...event, data: { ...event.data, ...data } } : event)) };
}

function after(input: ReportInput, type: DrillEvent['type'], add: readonly Pick<DrillEvent, 'type' | 'data'>[]): ReportInput {
  const at = input.events.findIndex((event) => event.type === type);
  const base = input.events[at];
  if (base === undefined) throw new Error(`no ${type}`);
  return { ...input, events: input.events.toSpliced(at + 1, 0, ...add.map((each) => ({ ...base, ...each }) as DrillEvent)) };
}

const plain = (html: string) => html.replaceAll('&#x27;', "'").replaceAll('&#x3D;', '=').replaceAll('&quot;', '"');

describe('what auditors ask for', () => {
  it('data size, machine and version stand beside those of production, declared or measured', () => {
    const input = startedWith({ machine: { cpu: 'Example CPU', cpus: 8, memoryBytes: 32 * 2 ** 30 } });
    const unknown = reportModel(input).scale;
    expect(unknown.map(({ production }) => production)).toEqual(['not declared', 'neither measured nor declared', 'neither measured nor declared']);
    expect(unknown[0]?.drill).toContain('8 × Example CPU, 32.0 GiB');
    const declared = { ...input, plan: { ...input.plan, binding: { ...input.plan.binding, environment: { ...input.plan.binding.environment, production: { machine: 'db.r6g.4xlarge', data: '1.2 TB' } } } } };
    expect(reportModel(declared).scale.map(({ production }) => production)).toEqual(['db.r6g.4xlarge, as the environment declares', '1.2 TB, as the environment declares', 'neither measured nor declared']);
    const measured = after(declared, 'run.started', [{ type: 'evidence.recorded', data: { kind: 'production-fingerprint', data: { connection: 'prod', when: 'before', as: 'muster', systemId: '1', timeline: 1, powers: [], archive: null, serverVersion: '17.6', dataBytes: 3 * 2 ** 40 } } }]);
    expect(reportModel(measured).scale.map(({ production }) => production).slice(1)).toEqual(['3.0 TiB in prod, measured', 'PostgreSQL 17.6 (prod), measured']);
    const volume = after(measured, 'run.started', [{ type: 'evidence.recorded', data: { kind: 'volume', data: { connection: 'aws', volume: 'vol-1', snapshot: 'snap-1', zone: 'eu-west-1a', type: 'gp3', sizeGiB: 100, encrypted: true } } }]);
    expect(reportModel(volume).scale[1]?.drill).toContain('volume vol-1: 100 GiB, gp3, in eu-west-1a');
    for (const text of ['3.0 TiB in prod, measured', 'db.r6g.4xlarge, as the environment declares']) {
      expect(reportHtml(measured)).toContain(text);
      expect(reportMarkdown(measured)).toContain(text);
      expect(reportOscal(measured)).toContain(text);
    }
  });

  it('who agreed to the objectives, and who says that the operator is who they are', () => {
    const input = startedWith({ authenticated: [{ by: 'operating-system', as: 'sam, uid 1000' }, { by: 'key', as: 'SHA256:abc' }] });
    const agreed = { ...input, runbook: { ...input.runbook, objectives: { ...input.runbook.objectives, approved: { by: 'Jane Doe', on: '2026-01-15', in: 'RISK-42' } } } };
    expect(reportHtml(input)).toContain('The runbook does not say who agreed to its objectives.');
    expect(reportHtml(agreed)).toContain('Jane Doe agreed to the objectives on 2026-01-15 (RISK-42)');
    for (const report of [reportHtml(agreed), reportMarkdown(agreed)]) expect(plain(report)).toMatch(/by the operating system: sam, uid 1000; by the key that seals the bundle: SHA256:abc/);
    const props = (JSON.parse(reportOscal(agreed)) as { 'assessment-results': { results: { props: { name: string; value: string }[] }[] } })['assessment-results'].results[0]?.props;
    expect(props).toContainEqual(expect.objectContaining({ name: 'operator-by-key', value: 'SHA256:abc' }));
    expect(props).toContainEqual(expect.objectContaining({ name: 'objectives-approved-by', value: 'Jane Doe, 2026-01-15' }));
  });

  it('that the restored data was deleted, or what was not', () => {
    const made = (ok?: boolean): readonly Pick<DrillEvent, 'type' | 'data'>[] => [
      { type: 'cleanup.deferred', data: { id: 'c1', uses: 'restored-postgres/remove', with: { path: '/srv/copy' } } },
      ...(ok === undefined ? [] : [{ type: 'cleanup.finished' as const, data: { id: 'c1', ok, ...(ok ? {} : { error: 'disk is gone' }) } }]),
    ];
    const removed = reportHtml(after(inputOf(), 'run.started', made(true)));
    expect(removed).toContain('were removed, the restored data with them. The inventory afterwards found nothing left.');
    expect(removed).toMatch(/restored-postgres\/remove<\/th><td>path \/srv\/copy<\/td><td>removed<\/td>/);
    expect(reportModel(after(inputOf(), 'run.started', made(false))).deletion).toMatchObject({ tone: 'bad', rows: [{ result: 'failed: disk is gone' }] });
    expect(reportModel(after(inputOf(), 'run.started', made())).deletion).toMatchObject({ tone: 'bad', rows: [{ result: 'not removed' }] });
    const kept = after(inputOf(), 'run.started', [...made(), { type: 'run.kept', data: { cleanups: ['c1'], things: [{ system: 'directory', object: '/srv/copy' }], until: '2026-12-01T00:00:00.000Z' } }]);
    expect(reportModel(kept).deletion).toMatchObject({ tone: 'warn', rows: [{ result: 'kept on purpose' }], kept: ['directory: /srv/copy, until 2026-12-01 00:00:00 UTC'] });
  });

  it('what the controls that the runbook names ask for, and what no bundle shows', () => {
    const html = reportHtml(inputOf({ controls: ['soc2/A1.3', 'acme/7'] }));
    expect(html).toMatch(/soc2\/A1\.3<small>[^<]+<\/small><\/th><td[^>]*>[^<]+<\/td><td[^>]*>[^<]+<\/td>/);
    expect(html).toContain('acme/7<small>in no mapping that ships with Muster</small>');
    expect(html).toContain('does not assess compliance');
  });

  it('the trend of the drills before, each with its digest, and none where there was none', () => {
    const earlier = [
      { run: '20260820T070000Z-pitr-restore-aaaaaa', sha256: 'a'.repeat(64), at: '2026-08-20T07:00:00.000Z', verdict: 'failed', rtoMs: null, rpoMs: 100, manualMs: 0 },
      { run: '20260920T070000Z-pitr-restore-bbbbbb', sha256: 'b'.repeat(64), at: '2026-09-20T07:00:00.000Z', verdict: 'passed', rtoMs: 16_102, rpoMs: 100, manualMs: 5000 },
    ] as const;
    const input = startedWith({ earlier: [...earlier] });
    expect(reportModel(input).trend.map(({ rto, bar }) => [rto, bar])).toEqual([['not measured', null], ['16.1 s', 100], ['8.05 s', 50]]);
    expect(reportHtml(input)).toContain('b'.repeat(64));
    expect(reportMarkdown(input)).toContain('Trend: 3 drills');
    expect(reportHtml(inputOf())).not.toContain('id="trend"');
  });

  it('what people decided about a finding, where the report is given it', () => {
    const input = { ...inputOf({ failAt: 'restore' }), decided: [{ id: 'F-0123456789ab', code: 'step-failed' as const, step: 'restore', words: 'open; owner alice; due 2027-01-31; ticket OPS-7' }] };
    expect(reportHtml(input)).toContain('F-0123456789ab at restore: open; owner alice; due 2027-01-31; ticket OPS-7');
  });
});

describe('evidence', () => {
  const run = drillRun();
  const texts = payloadTexts({ ...run, drill: derive(run.runbook, run.plan, run.events) });
  const schema = JSON.parse(readFileSync(join(packageRoot(), 'schemas/evidence.schema.json'), 'utf8')) as object;
  const validate = new Ajv2020({ strict: false }).compile(schema);

  it('of every kind has a form in the schema that stands in the bundle', () => {
    expect(JSON.parse(texts.get('data/evidence.schema.json') ?? '')).toEqual(schema);
    expect(Object.keys((schema as { $defs: object }).$defs).toSorted()).toEqual([...Object.keys(evidenceKinds), ...Object.keys(journalKinds)].toSorted());
  });

  it('in each file of a bundle holds to it, and nothing else does', () => {
    const files = [...texts].filter(([path]) => path.startsWith('data/evidence/'));
    expect(files.length).toBeGreaterThan(6);
    for (const [path, text] of files) expect(validate(JSON.parse(text)), path).toBe(true);
    const [, wrong] = files.find(([path]) => path.endsWith('/backup.json')) ?? [];
    expect(validate(JSON.parse((wrong ?? '').replace('"origin":"drill"', '"origin":"luck"')))).toBe(false);
    expect(validate({ kind: 'rumour', records: [] })).toBe(false);
  });

  it('that the journal delivers by itself can be required, and is missed', () => {
    const requiring = (kind: string) => {
      const plan = { ...run.plan, binding: { ...run.plan.binding, requiredEvidence: [...run.plan.binding.requiredEvidence, kind] } };
      return derive({ ...run.runbook, evidence: { require: [] } }, plan, run.events).reasons.filter(({ code }) => code === 'evidence-missing').map(({ detail }) => detail);
    };
    expect(requiring('clock')).toEqual([]);
    expect(requiring('approvals')).toEqual(['no step delivered evidence of kind approvals']);
    expect(requiring('changes')).toEqual(['no step delivered evidence of kind changes']);
  });

  it('is shown with its file and digest, also of a kind that the report has no words for', () => {
    const input = inputOf();
    const files = [...input.files, { path: 'evidence/moon-phase.json', sha256: 'd'.repeat(64) }];
    const drill = { ...input.drill, evidence: [...input.drill.evidence, { kind: 'moon-phase', required: false, records: 1 }] };
    expect(reportHtml({ ...input, drill, files })).toMatch(/<a href="evidence\/moon-phase\.json">moon-phase<\/a>[\s\S]*?d{64}/);
    expect(reportHtml(input)).toMatch(/<a href="evidence\.schema\.json">evidence\.schema\.json<\/a> <code class="hash">[0-9a-f]{64}/);
  });
});
