import { join } from 'node:path';
import { called } from '../engine/called.js';
import { messageOf, RefusedError, StepError } from '../engine/errors.js';
import type { Guard } from '../engine/guard.js';
import type { Plan } from '../engine/plan-document.js';
import type { Redactor } from '../engine/redact.js';
import { createScope } from '../engine/run/scope.js';
import { LiveWorld } from '../engine/world.js';
import { takeAdvisoryLock } from '../clients/lock/advisory-lock.js';
import { dropLocks, takeFileLock, type FileLock, type Holder } from '../clients/lock/file-lock.js';
import type { PostgresSession } from '../clients/postgres/port.js';
import { bindPorts, sharedAdapters } from './compose.js';
import { registry } from './registry.generated.js';

export interface RunLocks {
  /** Dead runs whose locks were taken over: what they left may still be there. */
  readonly tookOver: readonly Holder[];
  release(): Promise<void>;
}

export function locksFolder(state: string): string {
  return join(state, 'locks');
}

/** Of the lock of a process that takes over a run. */
export function claimKey(run: string): string {
  return `run:${run}`;
}

/**
 * One run at a time per protected system: takes a lock for everything that the environment reaches and does not make, and in
 * each PostgreSQL server that is there already an advisory lock, which also keeps out other machines. Throws RefusedError,
 * having let go of what it took, that says who holds it.
 */
export async function takeLocks(plan: Plan, run: string, state: string, guard: Guard, secrets: Redactor): Promise<RunLocks> {
  const files: FileLock[] = [];
  const sessions: PostgresSession[] = [];
  const release = async (): Promise<void> => {
    await Promise.all([...files.splice(0).map((lock) => lock.release()), ...sessions.splice(0).map((session) => session.close())]);
  };
  try {
    for (const key of await protectedBy(plan)) {
      const taken = await takeFileLock(locksFolder(state), key, run);
      if ('release' in taken) files.push(taken);
      else throw heldBy(taken);
    }
    for (const [name, { provision }] of Object.entries(plan.binding.environment.connections)) {
      if (provision !== 'existing-postgres') continue;
      const session = await lockedSession(plan, name, run, guard, secrets);
      if (session !== null) sessions.push(session);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { tookOver: files.flatMap(({ tookOver }) => (tookOver === null || tookOver.run === run ? [] : [tookOver])), release };
}

/** Of a run whose process is gone. */
export function forgetLocks(state: string, run: string): Promise<void> {
  return dropLocks(locksFolder(state), run);
}

/** In one order for all runs. */
async function protectedBy(plan: Plan): Promise<string[]> {
  const keys = new Set<string>();
  for (const { provision, with: input } of Object.values(plan.binding.environment.connections)) {
    const definition = await registry.provisioner(provision);
    for (const key of definition.protects?.(input) ?? []) keys.add(key);
  }
  return [...keys].sort();
}

/** null where the server cannot be reached now: preflight and the run itself say so. */
async function lockedSession(plan: Plan, name: string, run: string, guard: Guard, secrets: Redactor): Promise<PostgresSession | null> {
  const connection = plan.binding.environment.connections[name];
  if (connection === undefined) return null;
  const { kind, role, provision, with: details } = connection;
  const world = new LiveWorld();
  world.apply({ type: 'connection.provisioned', data: { connection: name, kind, role, provision, details } });
  const scope = createScope({ who: 'lock', phase: 'provision', runId: run, signal: new AbortController().signal, guard });
  let session: PostgresSession;
  try {
    session = await bindPorts(sharedAdapters(undefined, secrets))(scope, world).postgres.connect({ connection: name }, { effect: 'read' });
  } catch (error) {
    if (error instanceof StepError) return null;
    throw error;
  }
  try {
    const holder = await takeAdvisoryLock(session);
    if (holder === null) return session;
    const [, other] = /^muster\/([^/]+)\//.exec(holder.session) ?? [];
    throw new RefusedError(`another drill uses connection ${name}: its server says that ${holder.session} has held the lock since ${holder.since}`, [
      other === undefined ? 'End that session, or wait for it.' : `Where run ${other} goes on: ${called} attach ${other}. When its machine is gone, PostgreSQL lets go of the lock once the connection has timed out.`,
    ]);
  } catch (error) {
    await session.close();
    throw error instanceof RefusedError ? error : new RefusedError(`cannot take the lock of connection ${name}: ${messageOf(error)}`, [], { cause: error });
  }
}

function heldBy({ key, run, host, pid, since }: Holder): RefusedError {
  return new RefusedError(`another drill uses ${key}: run ${run} (process ${pid} on ${host}) has held it since ${since}`, [
    `Follow it: ${called} attach ${run}`,
    `End it: kill -INT ${pid} on ${host}; it cleans up and lets go. A lock of a process that died is taken over by itself.`,
  ]);
}
