import type { Facts } from './facts.js';
import type { Finding } from './reasons.js';

/** content-differs: tables, invariants and consistency checks of every reconciliation; failed health checks. */
export function contentFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  for (const { data, step } of facts.evidence('reconciliation')) {
    const differs = (detail: string) => found.push({ code: 'content-differs', ...(step === undefined ? {} : { step }), detail: `${data.connection}: ${detail}` });
    const compared = data.reference === 'snapshot' || data.reference === 'manifest';
    for (const { table, expected, actual, error } of data.tables) {
      if (error !== undefined) differs(`table ${table}: ${error}`);
      else if (actual === null) differs(`table ${table} could not be read`);
      else if (expected === null) {
        if (compared) differs(`table ${table} has nothing to be compared with`);
      } else if (expected.rows !== actual.rows) differs(`table ${table} has ${actual.rows} rows, expected ${expected.rows}`);
      else if (expected.checksum !== actual.checksum) differs(`table ${table}: same number of rows, other content`);
    }
    for (const { name, holds, detail } of data.invariants) if (!holds) differs(`invariant ${name} does not hold: ${detail}`);
    for (const { check, object, ok, detail } of data.consistency) if (ok === false) differs(`${check} of ${object}: ${detail}`);
  }
  return [...found, ...healthFindings(facts)];
}

/** A step may ask several times; the last answer of each check counts. */
function healthFindings(facts: Facts): Finding[] {
  const last = new Map<string, Finding | null>();
  for (const { data, step } of facts.evidence('health-checks')) {
    for (const { name, ok, detail } of data.checks) {
      last.set(JSON.stringify([step ?? null, name]), ok ? null : { code: 'step-failed', ...(step === undefined ? {} : { step }), detail: `health check ${name}: ${detail}` });
    }
  }
  return [...last.values()].filter((finding) => finding !== null);
}

/** Whether anything at all was compared with what the data should be. */
export function contentProved(facts: Facts): boolean {
  return facts.evidence('reconciliation').some(({ data }) => data.reference !== 'none' && (data.tables.some(({ expected }) => expected !== null) || data.invariants.length > 0));
}
