import { canonicalJson, sha256 } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import type { Plan } from '../engine/plan-document.js';
import { readme } from './readme.js';

/** A payload file as the manifest sees it. `path` is relative to the bundle: `data/plan.json`. */
export interface FileDigest {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** What a bundle is made of. All of its files but the logs and the report follow from this. */
export interface BundleContent {
  readonly runbookText: string;
  readonly environmentText: string;
  readonly plan: Plan;
  /** The whole journal, from `run.started` to `run.finished`. */
  readonly journalText: string;
  readonly events: readonly DrillEvent[];
  readonly drill: Drill;
}

const bagitText = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';
/** The tag files that tagmanifest-sha256.txt covers, sorted. */
export const tagFiles = ['README.txt', 'bag-info.txt', 'bagit.txt', 'manifest-sha256.txt'] as const;
export const tagManifest = 'tagmanifest-sha256.txt';

/** data/evidence/<kind>.json: all records of one kind, in the order of the journal. */
export function evidenceText(kind: string, records: readonly EventOf<'evidence.recorded'>[]): string {
  return `${canonicalJson({ kind, records: records.map(({ seq, at, step, data }) => ({ seq, at, step, data: data.data })) })}\n`;
}

/** The records of evidence by kind. */
function evidenceRecords(events: readonly DrillEvent[]): Map<string, EventOf<'evidence.recorded'>[]> {
  const kinds = new Map<string, EventOf<'evidence.recorded'>[]>();
  for (const event of events) {
    if (event.type !== 'evidence.recorded') continue;
    const records = kinds.get(event.data.kind);
    if (records === undefined) kinds.set(event.data.kind, [event]);
    else records.push(event);
  }
  return kinds;
}

/** Every payload file but logs and report, by path. */
export function payloadTexts({ runbookText, environmentText, plan, journalText, events, drill }: BundleContent): Map<string, string> {
  const texts = new Map([
    ['data/drill.json', `${canonicalJson(drill)}\n`],
    ['data/environment.yaml', environmentText],
    ['data/events.jsonl', journalText],
    ['data/plan.json', `${canonicalJson(plan)}\n`],
    ['data/runbook.yaml', runbookText],
  ]);
  for (const [kind, records] of evidenceRecords(events)) texts.set(`data/evidence/${kind}.json`, evidenceText(kind, records));
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
