import type { PendingCleanup } from '../cleanup.js';
import type { EventDataOf } from '../events.js';
import { flattenSteps, type Plan } from '../plan-document.js';
import type { World } from '../world.js';

/**
 * The cleanups that --keep leaves for later: those of connections with role `target`, and of steps that declare to change
 * one (the restored copy). All else is removed.
 */
export function keptCleanups(plan: Plan, pending: readonly PendingCleanup[]): PendingCleanup[] {
  const targets = targetsOf(plan);
  const steps = new Map(flattenSteps(plan.binding.steps).map(({ step }) => [step.id, step]));
  return pending.filter(({ step = '' }) => {
    if (step.startsWith('provision:')) return targets.has(step.slice('provision:'.length));
    return steps.get(step)?.changes.some(({ system }) => targets.has(system.slice(system.indexOf(':') + 1))) === true;
  });
}

/** `run.kept`: what stays up, where it is to be found, and for how long. */
export function keptEvent(plan: Plan, world: World, kept: readonly PendingCleanup[]): EventDataOf<'run.kept'> {
  const things = [...targetsOf(plan)].flatMap((name) => {
    const connection = world.connections.get(name);
    if (connection === undefined) return [];
    const { host, port, path } = connection.details;
    const where = typeof host === 'string' && typeof port === 'number' ? `${host}:${port}` : typeof path === 'string' ? path : 'on this machine';
    return [{ system: `${connection.kind}:${name}`, object: where }];
  });
  return { cleanups: kept.map(({ id }) => id), things, until: 'it is removed, or this machine restarts' };
}

function targetsOf({ binding }: Plan): Set<string> {
  return new Set(Object.entries(binding.environment.connections).flatMap(([name, { role }]) => (role === 'target' ? [name] : [])));
}
