import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, sha256 } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import { journalRecord } from '../engine/kinds/journal.js';
import { packageRoot } from '../engine/package-root.js';
import type { Plan } from '../engine/plan-document.js';
import { readme } from './readme.js';

/** A payload file as the manifest sees it. `path` is relative to the bundle: `data/plan.json`. */
export interface FileDigest {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** What a bundle is made of but for the text of its journal, which holds `events`. */
export interface DerivableContent {
  readonly runbookText: string;
  readonly environmentText: string;
  readonly plan: Plan;
  readonly events: readonly DrillEvent[];
  readonly drill: Drill;
}

/** What a bundle is made of. All of its files but the logs and the report follow from this. */
export interface BundleContent extends DerivableContent {
  /** The whole journal, from `run.started` to `run.finished`. */
  readonly journalText: string;
}

const bagitText = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';
/** The tag files that tagmanifest-sha256.txt covers, sorted. */
export const tagFiles = ['README.txt', 'bag-info.txt', 'bagit.txt', 'manifest-sha256.txt'] as const;
export const tagManifest = 'tagmanifest-sha256.txt';

/** The JSON Schema of data/evidence, as this version of Muster has it: whoever holds the bundle can read its evidence by it. */
export const evidenceSchemaFile = 'data/evidence.schema.json';

let schemaText: string | undefined;

export function evidenceSchemaText(): string {
  schemaText ??= readFileSync(join(packageRoot(), 'schemas', 'evidence.schema.json'), 'utf8');
  return schemaText;
}

/** One line of an evidence file. */
export interface EvidenceRecord {
  readonly seq: number;
  readonly at: string;
  readonly step?: string;
  readonly data: unknown;
}

/** data/evidence/<kind>.json: all records of one kind, in the order of the journal. */
export function evidenceText(kind: string, records: readonly EventOf<'evidence.recorded'>[]): string {
  return fileText(kind, records.map(({ seq, at, step, data }) => ({ seq, at, ...(step === undefined ? {} : { step }), data: data.data })));
}

function fileText(kind: string, records: readonly EvidenceRecord[]): string {
  return `${canonicalJson({ kind, records })}\n`;
}

/** The records of evidence by kind: what steps delivered, and what the journal is evidence of by itself. */
export function evidenceRecords(events: readonly DrillEvent[]): Map<string, EvidenceRecord[]> {
  const kinds = new Map<string, EvidenceRecord[]>();
  for (const event of events) {
    const record = event.type === 'evidence.recorded' ? event.data : journalRecord(event);
    if (record === undefined) continue;
    const { seq, at, step } = event;
    const entry = { seq, at, ...(step === undefined ? {} : { step }), data: record.data };
    const records = kinds.get(record.kind);
    if (records === undefined) kinds.set(record.kind, [entry]);
    else records.push(entry);
  }
  return kinds;
}

/** Every payload file but logs and report, by path. */
export function payloadTexts(content: BundleContent): Map<string, string> {
  return derivableTexts(content).set('data/events.jsonl', content.journalText);
}

/** The same without the journal itself. */
export function derivableTexts({ runbookText, environmentText, plan, events, drill }: DerivableContent): Map<string, string> {
  const texts = new Map([
    ['data/drill.json', `${canonicalJson(drill)}\n`],
    ['data/environment.yaml', environmentText],
    [evidenceSchemaFile, evidenceSchemaText()],
    ['data/plan.json', `${canonicalJson(plan)}\n`],
    ['data/runbook.yaml', runbookText],
  ]);
  for (const [kind, records] of evidenceRecords(events)) texts.set(`data/evidence/${kind}.json`, fileText(kind, records));
  return texts;
}

export function digestOf(path: string, content: string | Uint8Array): FileDigest {
  const bytes = typeof content === 'string' ? Buffer.byteLength(content) : content.length;
  return { path, sha256: sha256(content), bytes };
}

/** Lines as `sha256sum` prints them, sorted by path. */
export function manifestText(files: readonly FileDigest[]): string {
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map((file) => `${file.sha256}  ${file.path}\n`).join('');
}

/** The tag files but for the tag manifest, by name. They depend on nothing but events and payload. */
export function tagTexts(events: readonly DrillEvent[], drill: Drill, payload: readonly FileDigest[]): Map<(typeof tagFiles)[number], string> {
  const started = events.find((event) => event.type === 'run.started');
  const version = started?.data.tool.version ?? 'unknown';
  const info = [
    ['Bag-Software-Agent', `muster-dr ${version}`],
    ['Bagging-Date', (events.at(-1)?.at ?? '').slice(0, 10)],
    ['External-Description', `Evidence of the disaster-recovery drill ${drill.runbook.name} ${drill.runbook.version}`],
    ['External-Identifier', drill.run],
    ['Payload-Oxum', `${payload.reduce((sum, file) => sum + file.bytes, 0)}.${payload.length}`],
  ];
  return new Map([
    ['README.txt', readme(drill.run, version)],
    ['bag-info.txt', info.map(([label, value]) => `${label}: ${value}\n`).join('')],
    ['bagit.txt', bagitText],
    ['manifest-sha256.txt', manifestText(payload)],
  ]);
}

/** A file name for a log that every system and both manifests take. */
export const logName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.log$/;
