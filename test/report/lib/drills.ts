import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256 } from '../../../src/engine/canonical.js';
import type { Runbook } from '../../../src/engine/documents.js';
import type { DrillEvent } from '../../../src/engine/events.js';
import { parseSource } from '../../../src/engine/load/source.js';
import { derive } from '../../../src/engine/verdict.js';
import { openBundle, reportFiles } from '../../../src/evidence/bag.js';
import { digestOf, payloadTexts } from '../../../src/evidence/texts.js';
import type { ReportInput } from '../../../src/report/model.js';
import { chained, sampleRun, type SampleOptions, type SampleRun } from '../../evidence/lib/sample.js';

export interface DrillOptions extends SampleOptions {
  /** UTC start, to the second. */
  readonly at?: string;
  readonly runbook?: string;
  readonly version?: string;
  readonly environment?: string;
  readonly sandbox?: boolean;
  readonly controls?: readonly string[];
  /** Instead of the sample's own texts. */
  readonly documents?: { readonly runbook: string; readonly environment: string };
  /** Changes the events before they are chained. */
  readonly edit?: (events: DrillEvent[]) => DrillEvent[];
}

const started = Date.parse('2026-11-20T07:00:00.000Z');

/** A sample run at another time, of another runbook version, in another environment: consistent as a real one. */
export function drillRun(options: DrillOptions = {}): SampleRun {
  const { at = '2026-11-20T07:00:00Z', runbook: name = 'pitr-restore', version = '1.0.0', environment = 'sandbox', sandbox = true, edit = (events) => events } = options;
  const run = sampleRun(options);
  const shift = Date.parse(at) - started;
  const controls = options.controls ?? ['soc2/A1.3', 'iso27001/A.8.13', 'nist-800-53/CP-9(1)'];
  const runId = `${at.replaceAll(/[-:]/g, '')}-${name}-${sha256(canonicalJson({ ...options, edit: String(options.edit) })).slice(0, 6)}`;
  const runbookText = (options.documents?.runbook ?? run.runbookText)
    .replace('name: pitr-restore', `name: ${name}`)
    .replace('version: 1.0.0', `version: ${version}`)
    .replace(/ {2}controls: .*\n/, `  controls: ${JSON.stringify(controls)}\n`);
  const environmentText = options.documents?.environment ?? run.environmentText.replace('{ name: sandbox, sandbox: true }', `{ name: ${environment}, sandbox: ${sandbox} }`);
  const binding = {
    ...run.plan.binding,
    runbook: { ...run.plan.binding.runbook, name, version, controls: [...controls], sha256: sha256(runbookText) },
    environment: { ...run.plan.binding.environment, name: environment, sandbox, sha256: sha256(environmentText) },
  };
  const plan = { ...run.plan, binding, digest: sha256(canonicalJson(binding)) };
  // Outside a sandbox a backup that the drill made proves no schedule.
  const moved = JSON.stringify(run.events)
    .replaceAll('"origin":"drill"', sandbox ? '"origin":"drill"' : '"origin":"schedule"')
    .replaceAll(/2026-11-20T07:\d\d:\d\d\.\d{3}Z/g, (time) => new Date(Date.parse(time) + shift).toISOString())
    .replaceAll(/2026-11-20 07:(\d\d:\d\d\.\d{3})\+00/g, (_, rest: string) => `${new Date(Date.parse(`2026-11-20T07:${rest}Z`) + shift).toISOString().slice(0, -1).replace('T', ' ')}+00`);
  const events = edit((JSON.parse(moved) as DrillEvent[]).map((event) => (event.type === 'run.started' ? { ...event, data: { ...event.data, run: runId, plan: plan.digest, sandbox } } : event)));
  const journalText = chained(events);
  return { runId, runbookText, environmentText, runbook: parseSource('runbook.yaml', runbookText).value as Runbook, plan, events: journalText.trimEnd().split('\n').map((line) => JSON.parse(line) as DrillEvent), journalText };
}

const inputs: Readonly<Record<string, string>> = {
  'postgres.seed': 'server: source, table: orders, rows: 1000',
  'postgres.backup': 'server: source, repository: backups',
  'postgres.snapshot': 'server: source, tables: [orders]',
  'postgres.sql': 'server: source, sql: SELECT 1, effect: read',
  wait: 'for: 1s',
  manual: 'instructions: Decide whether to restore., changes: []',
  'postgres.restore': 'repository: backups, into: copy, target: { type: latest }',
  'postgres.wal-end': 'server: copy',
  'endpoint.switch': 'endpoint: app, to: copy',
  'postgres.verify': 'server: copy, reference: none',
};

/** The sample's runbook with what its steps need, so that it loads as one of today. */
export function loadableRunbook(cadence = 'quarterly'): string {
  return sampleRun()
    .runbookText.replaceAll(/uses: ([a-z.-]+)(?=[, ]+(?:title|gate|\}))/g, (all, uses: string) => (inputs[uses] === undefined ? all : `${all}, with: { ${inputs[uses]} }`))
    .replace('source: postgres,', 'source: postgres, backups: postgres-backups,')
    .replace('postgres.availability, with: { endpoint: app }', 'postgres.availability, with: { endpoint: app, table: orders, every: 200ms }')
    .replace('postgres.ledger, with: { endpoint: app }', 'postgres.ledger, with: { endpoint: app, every: 200ms }')
    .replace('  owner: platform-team\n', `  owner: platform-team\n  cadence: ${cadence}\n`);
}

/** What the reports of that drill are made from. */
export function inputOf(options: DrillOptions = {}): ReportInput {
  const run = drillRun(options);
  const drill = derive(run.runbook, run.plan, run.events);
  const payload = [...payloadTexts({ ...run, drill })].map(([path, text]) => digestOf(path, text));
  return { ...run, drill, files: reportFiles(payload) };
}

/** Writes its bundle into `<folder>/evidence`; resolves to the bundle's path. */
export async function writeDrill(folder: string, options: DrillOptions = {}): Promise<string> {
  const run = drillRun(options);
  const logsDir = join(folder, 'logs');
  await mkdir(logsDir, { recursive: true });
  await writeFile(join(logsDir, 'restore.log'), 'copied 42 files\n');
  const writer = await openBundle(join(folder, 'evidence'), run.runId);
  return (await writer.finish({ ...run, logsDir })).path;
}

export const hostile = `<script>alert(1)</script>{{title}}" onload="x \u001b[31mred\u001b]0;owned\u0007 \u202egnp.exe @everyone | \`code\` [a](javascript:b) ]]>&amp;\n\n# heading`;

/** What a command printed. */
export function capture(cwd: string, env: Readonly<Record<string, string>> = {}) {
  const out = { stdout: '', stderr: '' };
  return { out, io: { stdout: (text: string) => void (out.stdout += text), stderr: (text: string) => void (out.stderr += text), cwd, env: { MUSTER_STATE_DIR: join(cwd, 'state'), ...env } } };
}
