import { hostname, networkInterfaces } from 'node:os';
import type { DrillHooks } from '../engine/run.js';
import { canonicalHost, isLoopback } from '../engine/guard/hosts.js';
import { checkIsolation, type IsolationRequest } from '../engine/isolation.js';
import type { PlanBinding } from '../engine/plan-document.js';
import { createScope, type AccessCheck } from '../engine/run/scope.js';
import type { World } from '../engine/world.js';
import { postgresPort, type PostgresShared } from '../clients/postgres/adapter.js';
import { fingerprints, type EarlierListings } from '../clients/postgres/fingerprint.js';
import { reachPort } from '../clients/reach/adapter.js';

const connectMs = 3_000;

interface BoundaryParts {
  readonly runId: string;
  readonly environment: PlanBinding['environment'];
  readonly guard: AccessCheck;
  readonly postgres: PostgresShared;
}

/** What the engine asks before the drill and after it: is what is forbidden out of reach, and is production what it was? */
export function boundaryCheck({ runId, environment, guard, postgres }: BoundaryParts): NonNullable<DrillHooks['boundary']> {
  const earlier: EarlierListings = new Map();
  return async (when, world, signal) => {
    const scope = createScope({ who: `boundary:${when}`, phase: 'plan', runId, signal, guard });
    const reach = reachPort(scope);
    const isolation = environment.forbidden.length === 0 ? undefined : await checkIsolation({ when, from: `this process on ${hostname()}`, forbidden: environment.forbidden, allowed: allowedAddresses(world), ...cannotTry(world), connect: (host, port) => reach.tcp(host, port, connectMs) });
    const production = await fingerprints(when, world, postgresPort(scope, world, postgres), earlier);
    return [...(isolation === undefined ? [] : [{ kind: 'isolation', data: isolation } as const]), ...production.map((data) => ({ kind: 'production-fingerprint', data }) as const)];
  };
}

/** Endpoints first: they lead to something all the time. What is on this machine comes last: it says least about the network. */
function allowedAddresses(world: World): IsolationRequest['allowed'] {
  const endpoints = [...world.endpoints].map(([name, { host, port }]) => ({ name: `endpoint ${name}`, host, port }));
  const servers = [...world.connections].flatMap(([name, { details: { host, port } }]) => (typeof host === 'string' && typeof port === 'number' && !host.startsWith('/') ? [{ name: `connection ${name}`, host, port }] : []));
  const near = ({ host }: { readonly host: string }): number => (isLoopback(canonicalHost(host) ?? host) ? 1 : 0);
  return [...endpoints, ...servers].toSorted((one, other) => near(one) - near(other));
}

/** From here nobody can tell what a system that is restored elsewhere reaches. */
function cannotTry(world: World): Pick<IsolationRequest, 'cannot'> {
  for (const [name, { role, details }] of world.connections) {
    const { host } = details;
    if (role === 'target' && typeof host === 'string' && !isHere(host)) return { cannot: `the restored system ${name} runs at ${host}, and nothing can be tried from there` };
  }
  return {};
}

function isHere(host: string): boolean {
  const form = canonicalHost(host);
  if (host.startsWith('/') || (form !== undefined && isLoopback(form))) return true;
  return Object.values(networkInterfaces()).flat().some((own) => own !== undefined && canonicalHost(own.address) === form);
}
