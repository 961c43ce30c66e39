import { endpointMoves } from './endpoints.js';
import type { Facts } from './facts.js';
import type { Fault } from './fault.js';
import { names, type Finding } from './reasons.js';
import type { Recovery } from './rto.js';

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

/**
 * evidence-missing: clients were served again by a server whose content nobody compared, though another one of its kind was:
 * the copy that was found sound is then not the one that came back.
 */
export function servedFindings(facts: Facts, fault: Fault | null, { probes }: Recovery): Finding[] {
  const { connections } = facts.plan.binding.environment;
  const compared = new Set(facts.evidence('reconciliation').filter(({ data }) => data.reference !== 'none').map(({ data }) => data.connection));
  const restored = fault === null ? [] : probes.flatMap(({ restored: back, endpoint }) => (back === null || endpoint === null ? [] : [endpoint]));
  return [...new Set(restored)].flatMap((endpoint): Finding[] => {
    const server = fault === null ? null : endpointMoves(facts, endpoint, fault).atEnd;
    if (server === null || compared.has(server)) return [];
    const others = [...compared].filter((name) => connections[name]?.kind === connections[server]?.kind);
    return others.length === 0 ? [] : [{ code: 'evidence-missing', detail: `${endpoint} leads to ${server}, whose content was not compared; compared was ${names(others)}` }];
  });
}

/** Whether anything at all was compared with what the data should be. */
export function contentProved(facts: Facts): boolean {
  return facts.evidence('reconciliation').some(({ data }) => data.reference !== 'none' && (data.tables.some(({ expected }) => expected !== null) || data.invariants.length > 0));
}
