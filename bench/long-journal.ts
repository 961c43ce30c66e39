import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../src/engine/canonical.js';
import type { DrillEvent } from '../src/engine/events.js';
import { parseJournal } from '../src/engine/journal.js';
import type { Runbook } from '../src/engine/documents.js';
import { parseSource } from '../src/engine/load/source.js';
import { openBundle } from '../src/evidence/bag.js';

/** Writes `bundle` once more with so many more samples of its probes, as if they had looked that much more often; resolves to the new bundle. */
export async function withLongJournal(bundle: string, evidenceDir: string, bytes: number): Promise<string> {
  const read = (file: string) => readFileSync(join(bundle, 'data', file), 'utf8');
  const { events } = parseJournal(read('events.jsonl'));
  const run = events.find((event) => event.type === 'run.started')?.data.run ?? '';
  const writer = await openBundle(evidenceDir, run);
  const { path } = await writer.finish({ ...runbookOf(read), environmentText: read('environment.yaml'), plan: JSON.parse(read('plan.json')), journalText: lengthened(events, bytes), logsDir: null });
  return path;
}

/** As `finish` takes it. */
export function runbookOf(read: (file: string) => string): { runbookText: string; runbook: Runbook } {
  const runbookText = read('runbook.yaml');
  return { runbookText, runbook: parseSource('runbook.yaml', runbookText).value as Runbook };
}

/** More rows and samples stand after the ledger's first row; later rows are numbered on. */
function lengthened(events: readonly DrillEvent[], bytes: number): string {
  const row = events.find((event) => event.type === 'ledger.row');
  const sample = events.find((event) => event.type === 'probe.sample');
  if (row === undefined || sample === undefined) throw new Error('the drill of the benchmark has no samples');
  const more = Math.ceil(bytes / (JSON.stringify(row).length + JSON.stringify(sample).length));
  const longer = events.flatMap((event): DrillEvent[] => {
    if (event === row) return [event, ...Array.from({ length: more }, (_, index) => [sample, { ...row, data: { ...row.data, n: row.data.n + index + 1 } }]).flat()];
    if (event.type === 'ledger.row' && event.data.probe === row.data.probe) return [{ ...event, data: { ...event.data, n: event.data.n + more } }];
    if (event.type === 'ledger.recovered' && event.data.probe === row.data.probe) return [{ ...event, data: { ...event.data, ranges: event.data.ranges.map(([from, to], index) => [index === 0 ? from : from + more, to + more]) } }];
    return [event];
  });
  let prev = '0'.repeat(64);
  const lines = longer.map((event, index) => {
    const line = JSON.stringify({ ...event, seq: index + 1, prev });
    prev = sha256(line);
    return `${line}\n`;
  });
  return lines.join('');
}
