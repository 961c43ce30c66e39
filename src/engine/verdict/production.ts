import type { EvidenceOf } from '../kinds/index.js';
import type { Facts } from './facts.js';
import { names, type Finding } from './reasons.js';

type Fingerprint = EvidenceOf<'production-fingerprint'>;
const looked = new Set(['postgres', 'postgres-backups']);

/** isolation-violated: production is not what it was before the drill; isolation-unproven: nobody looked both before and after. */
export function productionFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  const records = facts.evidence('production-fingerprint').map(({ data }) => data);
  for (const [name, { role, kind }] of Object.entries(facts.plan.binding.environment.connections)) {
    if (role !== 'production' || !looked.has(kind)) continue;
    const [before, after] = (['before', 'after'] as const).map((when) => records.filter((record) => record.connection === name && record.when === when));
    for (const [when, taken] of [['before', before], ['after', after]] as const) {
      if (taken === undefined || taken.length === 0) found.push({ code: 'isolation-unproven', detail: `production ${name} was not looked at (${when})` });
      for (const { error } of taken ?? []) if (error !== undefined) found.push({ code: 'isolation-unproven', detail: `production ${name} could not be looked at (${when}): ${error}` });
    }
    for (const one of before ?? []) for (const other of after ?? []) if (one.error === undefined && other.error === undefined) found.push(...differences(name, one, other));
  }
  return found;
}

function differences(name: string, before: Fingerprint, after: Fingerprint): Finding[] {
  const found: Finding[] = [];
  const violated = (detail: string) => found.push({ code: 'isolation-violated', detail: `production ${name}: ${detail}` });
  if (before.systemId !== after.systemId) violated(`the system identifier was ${before.systemId} and is ${after.systemId}`);
  if (before.timeline !== after.timeline) violated(`the timeline was ${before.timeline} and is ${after.timeline}`);
  const [one, other] = [before.archive, after.archive];
  if (one === null || other === null) {
    if (one !== other) found.push({ code: 'isolation-unproven', detail: `production ${name}: its archive was listed only once` });
    return found;
  }
  const { removed, changed } = other;
  if (removed === undefined || changed === undefined) {
    if (one.digest !== other.digest) found.push({ code: 'isolation-unproven', detail: `production ${name}: its archive was not compared with what it held before` });
    return found;
  }
  if (removed.length > 0) violated(`files are gone from its archive: ${names(removed)}`);
  if (changed.length > 0) violated(`files of its archive were changed: ${names(changed)}`);
  return found;
}

/** Why a read-only session was all that held steps back from production. */
export function productionPowers(facts: Facts): string | null {
  const able = new Map(facts.evidence('production-fingerprint').filter(({ data }) => data.powers.length > 0).map(({ data }) => [data.connection, data.powers]));
  if (able.size === 0) return null;
  return `That no step could act on production: the role of ${[...able].map(([name, powers]) => `${name} is ${powers.join(', ')}`).join('; ')}, which a read-only transaction does not hold back.`;
}
