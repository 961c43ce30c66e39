import type { QueryResult } from '../../../clients/postgres/port.js';
import { StepError } from '../../../engine/errors.js';

type Scalar = string | number | boolean | null;
type Result = QueryResult<Record<string, unknown>>;

export interface Expectation {
  readonly rowCount?: number;
  readonly rows?: readonly Readonly<Record<string, Scalar>>[];
}

/** How a result differs from what was expected, without any of its values; undefined when it does not. */
export function unmet(result: Result, expect: Expectation | undefined): string | undefined {
  if (expect?.rowCount !== undefined && expect.rowCount !== result.rowCount) return `expected ${expect.rowCount} rows, found ${result.rowCount}`;
  if (expect?.rows === undefined) return undefined;
  if (expect.rows.length !== result.rows.length) return `expected ${expect.rows.length} rows, found ${result.rows.length}`;
  for (const [at, expected] of expect.rows.entries()) {
    for (const [column, value] of Object.entries(expected)) {
      const row = result.rows[at] ?? {};
      if (!(column in row)) return `the result has no column ${column}`;
      if (text(row[column]) !== text(value)) return `row ${at + 1}: ${column} is not what was expected`;
    }
  }
  return undefined;
}

/** The named columns of the only row. Throws StepError `unexpected-result`. */
export function pickValues(result: Result, output: Readonly<Record<string, string>>): Record<string, Scalar> {
  const entries = Object.entries(output);
  if (entries.length === 0) return {};
  const [row] = result.rows;
  if (row === undefined || result.rows.length !== 1) throw new StepError('unexpected-result', `\`output\` needs a result of one row, found ${result.rows.length}`);
  return Object.fromEntries(
    entries.map(([name, column]) => {
      if (!(column in row)) throw new StepError('unexpected-result', `\`output\`: the result has no column ${column}`);
      return [name, scalar(row[column])];
    }),
  );
}

function scalar(value: unknown): Scalar {
  return value === null || typeof value === 'number' || typeof value === 'boolean' ? value : text(value);
}

function text(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean | bigint);
}
