import type { Drill } from '../drill.js';
import type { Facts } from './facts.js';
import type { Fault } from './fault.js';
import { ledgerStores } from './ledger.js';
import type { StoreResult } from './store.js';
import { codeStores } from './infrastructure.js';
import type { Finding } from './reasons.js';
import { verificationEnd, type Recovery } from './rto.js';
import { derivedStores, sampledStores } from './samples.js';
import { fromMs, said, toMs } from './time.js';

/** A ledger, else samples of the source's LSN, else what the evidence lets one derive. What was rebuilt from code comes to it. */
function storesOf(facts: Facts, fault: Fault | null, noFault: string | null, recovery: Recovery): StoreResult[] {
  const { probes } = facts.plan.binding;
  const ledgers = probes.filter(({ samples }) => samples === 'ledger');
  if (ledgers.length > 0) return ledgers.flatMap((probe) => ledgerStores(facts, probe, fault, verificationEnd(facts), recovery, noFault));
  const lsns = probes.filter(({ samples }) => samples === 'lsn');
  if (lsns.length > 0) return lsns.flatMap((probe) => sampledStores(facts, probe, fault, noFault));
  return facts.evidence('infrastructure-code').length > 0 ? [] : derivedStores(facts, fault, noFault, recovery);
}

/** Does the store keep, miss or not show the objective? */
function hold({ store, atLeast }: StoreResult, objective: number): 'met' | 'missed' | 'not-measured' {
  if (store.lost !== null && store.lost > 0 && objective === 0) return 'missed';
  if (store.valueMs === null) return atLeast !== null && atLeast > fromMs(objective) ? 'missed' : 'not-measured';
  if (objective > 0) return store.valueMs <= objective ? 'met' : 'missed';
  if (store.basis === 'ledger') return store.lost === 0 ? 'met' : 'missed';
  if (store.basis === 'code') return 'met';
  // Samples and derived times count no rows: only "everything up to the fault" shows that none is lost.
  return store.basis === 'samples' && store.valueMs === 0 ? 'met' : 'not-measured';
}

/** rpo, with rpo-missed, rpo-not-measured and the ledger's wrong-timeline. */
export function deriveRpo(facts: Facts, fault: Fault | null, noFault: string | null, recovery: Recovery): { readonly rpo: Drill['rpo']; readonly findings: readonly Finding[] } {
  const objective = facts.plan.binding.objectives.rpoMs;
  const results = [...storesOf(facts, fault, noFault, recovery), ...codeStores(facts, fault, noFault)];
  const stores = results.map(({ store }) => store);
  const findings: Finding[] = results.flatMap((result) => [...result.findings]);
  const unmeasured = results.filter(({ store }) => store.valueMs === null);
  const complete = stores.length > 0 && unmeasured.length === 0;
  const statuses = objective === null ? [] : results.map((result) => hold(result, objective));
  if (objective !== null) {
    for (const [index, result] of results.entries()) {
      const { store } = result;
      const name = [store.probe, store.store].filter((part) => part !== '').join(' ') || 'the store';
      if (statuses[index] === 'missed') {
        const value = store.valueMs ?? (result.atLeast === null ? null : toMs(result.atLeast));
        const lost = store.lost === null ? '' : `, ${store.lost} acknowledged row(s) lost`;
        findings.push({ code: 'rpo-missed', detail: `${name}: ${value === null ? 'data' : `${store.valueMs === null ? 'at least ' : ''}${said(value)}`} lost${lost}; the objective is ${said(objective)}` });
      }
      if (statuses[index] === 'not-measured') findings.push({ code: 'rpo-not-measured', detail: `${name}: ${store.whyNotMeasured ?? 'its basis cannot show that no row is lost'}` });
    }
  }
  const bases = new Set(stores.map(({ basis }) => basis));
  const status = objective === null ? 'no-objective' : statuses.includes('missed') ? 'missed' : statuses.length === 0 || statuses.includes('not-measured') ? 'not-measured' : 'met';
  return {
    findings,
    rpo: {
      objectiveMs: objective,
      status,
      valueMs: complete ? stores.reduce((worst, { valueMs }) => Math.max(worst, valueMs ?? 0), 0) : null,
      basis: complete && bases.size === 1 ? (stores[0]?.basis ?? null) : null,
      lost: complete && stores.every(({ lost }) => lost !== null) ? stores.reduce((sum, { lost }) => sum + (lost ?? 0), 0) : null,
      stores,
      whyNotMeasured: unmeasured[0]?.store.whyNotMeasured ?? null,
    },
  };
}
