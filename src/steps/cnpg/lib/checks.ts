import { healthyPhase, inShort, type ClusterFacts } from './cluster.js';

/** As in evidence of kind health-checks. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What a server says over SQL, beside what its Cluster says. */
export interface ServerFacts {
  readonly inRecovery: boolean;
  readonly systemId: string;
  readonly timeline: number;
  /** pg_stat_archiver of the server that answers: it begins with its promotion. */
  readonly archived: string | null;
  /** The last failure is younger than the last success. */
  readonly archiveFails: boolean;
}

export interface Wanted {
  /** The primary before the fault. It must not be the primary now, and must be back as a replica. */
  readonly former?: string;
  /** The timeline before the fault: a failover raises it by exactly one. */
  readonly timelineBefore?: number;
  readonly archiving: boolean;
}

/**
 * Is the cluster as it should be? `Ready` is only the phase in other words, and says neither that SQL works nor that WAL is
 * archived; a hibernated cluster says that it is healthy with no instance. So each is looked at by itself.
 */
export function healthChecks(facts: ClusterFacts, wanted: Wanted, server?: ServerFacts): Check[] {
  const checks: Check[] = [
    { name: 'phase', ok: facts.phase === healthyPhase, detail: inShort(facts) },
    { name: 'not hibernated', ok: !facts.hibernated, detail: facts.hibernated ? 'the Cluster is hibernated: it says that it is healthy and runs nothing' : 'it is not' },
    { name: 'not fenced', ok: facts.fenced.length === 0, detail: facts.fenced.length === 0 ? 'no instance is' : `fenced: ${facts.fenced.join(', ')}` },
    { name: 'full strength', ok: facts.instances > 0 && facts.ready === facts.instances, detail: `${facts.ready} of ${facts.instances} instances are ready` },
    { name: 'one primary', ok: facts.primary !== null && facts.primary === facts.target, detail: `primary ${facts.primary ?? 'none'}, target ${facts.target ?? 'none'}` },
  ];
  if (wanted.former !== undefined) checks.push(rejoined(facts, wanted.former));
  if (wanted.timelineBefore !== undefined) checks.push(risen('timeline of the Cluster', facts.timeline, wanted.timelineBefore));
  if (wanted.archiving) checks.push(condition(facts, 'ContinuousArchiving'));
  return server === undefined ? checks : [...checks, ...serverChecks(facts, wanted, server)];
}

function serverChecks(facts: ClusterFacts, wanted: Wanted, server: ServerFacts): Check[] {
  const checks: Check[] = [
    { name: 'answers as a primary', ok: !server.inRecovery, detail: server.inRecovery ? 'the server that answers is in recovery' : 'the server that answers is not in recovery' },
    { name: 'same system', ok: facts.systemId !== null && server.systemId === facts.systemId, detail: `system identifier ${server.systemId}; the Cluster says ${facts.systemId ?? 'nothing'}` },
  ];
  if (wanted.timelineBefore !== undefined) checks.push(risen('timeline of the server', server.timeline, wanted.timelineBefore));
  if (wanted.archiving) {
    const detail = server.archived === null ? 'the primary has archived nothing since it was promoted or started' : `the primary has archived ${server.archived}${server.archiveFails ? ', and failed since' : ''}`;
    checks.push({ name: 'archives', ok: server.archived !== null && !server.archiveFails, detail });
  }
  return checks;
}

function rejoined(facts: ClusterFacts, former: string): Check {
  const name = 'former primary is back';
  if (facts.primary === former) return { name, ok: false, detail: `${former} is still the primary, or is it again` };
  const state = facts.reported.get(former);
  const ok = facts.healthy.includes(former) && state !== undefined && !state.isPrimary && state.timeline === facts.timeline;
  if (ok) return { name, ok, detail: `${former} is a replica on timeline ${state.timeline}` };
  const said = state === undefined ? 'reports nothing' : `reports ${state.isPrimary ? 'that it is a primary' : 'that it is a replica'} on timeline ${state.timeline ?? 'unknown'}`;
  return { name, ok, detail: `${former} ${facts.healthy.includes(former) ? 'is ready' : 'is not ready'} and ${said}; the cluster is on timeline ${facts.timeline ?? 'unknown'}` };
}

function risen(name: string, now: number | null, before: number): Check {
  return { name, ok: now === before + 1, detail: `${now ?? 'unknown'}; it was ${before}, and one failover raises it by one` };
}

function condition(facts: ClusterFacts, type: string): Check {
  const found = facts.conditions.get(type);
  if (found === undefined) return { name: type, ok: false, detail: 'the Cluster has no such condition: it archives nothing, or has not tried yet' };
  return { name: type, ok: found.status === 'True', detail: found.message === '' ? `${found.status} ${found.reason}` : found.message };
}

/** What is not as it should be, in one line. */
export function failures(checks: readonly Check[]): string {
  return checks
    .filter(({ ok }) => !ok)
    .map(({ name, detail }) => `${name}: ${detail}`)
    .join('; ');
}
