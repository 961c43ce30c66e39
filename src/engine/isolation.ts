import { parseHostPattern } from './guard/hosts.js';
import type { EvidenceOf } from './kinds/index.js';

/** One attempt to connect, by a port of the command line's choice; sends no byte. */
export type TryConnect = (host: string, port: number) => Promise<{ readonly found: 'connected' | 'refused' | 'unreachable' | 'could-not-run'; readonly detail: string }>;

export interface IsolationRequest {
  readonly when: 'before' | 'after';
  /** Where the attempts are made, in words. */
  readonly from: string;
  /** `host:port` of the environment. */
  readonly forbidden: readonly string[];
  /** Addresses that must answer, the best first: without one that does, silence proves nothing. */
  readonly allowed: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  /** Why nothing can be tried from where the restored workload runs. */
  readonly cannot?: string;
  readonly connect: TryConnect;
}

type Check = EvidenceOf<'isolation'>['checks'][number];

/**
 * Tries each forbidden address, and the allowed ones until one answers. Reached is also what refuses the connection: packets get
 * there, and a password is all that is in between.
 */
export async function checkIsolation(request: IsolationRequest): Promise<EvidenceOf<'isolation'>> {
  const { when, from, cannot } = request;
  if (cannot !== undefined) return { when, from, checks: request.forbidden.map((target): Check => ({ target, expected: 'unreachable', found: 'could-not-run', detail: cannot })) };
  const forbidden = await Promise.all(request.forbidden.map((target) => checkForbidden(target, request.connect)));
  return { when, from, checks: [...forbidden, ...(await checkAllowed(request))] };
}

async function checkForbidden(target: string, connect: TryConnect): Promise<Check> {
  const { host, port } = parseHostPattern(target);
  if (port === undefined) return { target, expected: 'unreachable', found: 'could-not-run', detail: 'no port is named' };
  const { found, detail } = await connect(host, port);
  return { target, expected: 'unreachable', found: found === 'connected' || found === 'refused' ? 'reachable' : found, detail };
}

/** The first that answers; all of them when none does. */
async function checkAllowed({ allowed, connect }: IsolationRequest): Promise<Check[]> {
  const silent: Check[] = [];
  for (const { name, host, port } of allowed) {
    const { found, detail } = await connect(host, port);
    const check = { target: name, expected: 'reachable', found: found === 'connected' ? 'reachable' : found === 'refused' ? 'unreachable' : found, detail } as const;
    if (check.found === 'reachable') return [check];
    silent.push(check);
  }
  return silent;
}

/** What should be unreachable and is not, in words. */
export function reachedForbidden({ checks }: EvidenceOf<'isolation'>): string[] {
  return checks.filter(({ expected, found }) => expected === 'unreachable' && found === 'reachable').map(({ target, detail }) => `${target}: ${detail}`);
}
