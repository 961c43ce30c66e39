import type { ReportInput } from './model.js';
import { visible } from './visible.js';

export type CsvCell = string | number | boolean | null;

/** RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe before it (OWASP, CSV injection). */
export function csv(head: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [head, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(value: CsvCell): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  // Full-width forms are taken for their plain ones by some spreadsheets.
  const shown = visible(value);
  const safe = /^\s*[=+\-@|%\uFF1D\uFF0B\uFF0D\uFF20]/.test(shown) ? `'${shown}` : shown;
  return /[",;']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The steps of a drill, one a line. Times are milliseconds; `start_ms` counts from the start of the run. */
export function reportCsv({ drill }: ReportInput): string {
  return csv(
    ['run', 'verdict', 'phase', 'step', 'branch', 'uses', 'status', 'attempts', 'start_ms', 'duration_ms', 'waiting_ms', 'working_ms', 'error'],
    drill.steps.map((step) => [drill.run, drill.verdict, step.phase, step.id, step.branch, step.uses, step.status, step.attempts, step.startMs, step.durationMs, step.waitingMs, step.workingMs, step.error]),
  );
}
