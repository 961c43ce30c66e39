import { runCleanups, type CleanupFailure, type PendingCleanup } from '../cleanup.js';
import type { Runtime } from './runtime.js';

/** Does the registered cleanups that `which` chooses, the last registered first. Gives those that failed. */
export function cleanUp({ request, cleanups, limits, logs, world }: Runtime, which: (cleanup: PendingCleanup) => boolean): Promise<CleanupFailure[]> {
  return runCleanups({
    pending: cleanups.pending.filter(which),
    runId: request.runId,
    registry: request.registry,
    world,
    bindPorts: (scope, bound) => request.bindPorts(scope, bound),
    guard: request.guard,
    journal: request.journal,
    clock: request.clock,
    log: (who, line) => logs.append(who, line),
    timeoutMs: limits.cleanupMs,
    graceMs: limits.graceMs,
    renewCredentials: request.hooks?.renewCredentials,
    onDone: (id) => cleanups.finished(id),
  });
}
