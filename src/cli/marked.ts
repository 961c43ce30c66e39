import type { Ports } from '../engine/define-step.js';
import { runLabel, runMark, runTag } from '../engine/mark.js';
import { messageOf } from '../engine/errors.js';
import { declaredPermissions } from '../engine/plan/rights.js';
import type { Plan, PlanBinding } from '../engine/plan-document.js';
import type { AccessCheck } from '../engine/run/scope.js';
import type { Scope } from '../engine/scope.js';
import type { World } from '../engine/world.js';
import { labelledObjects } from '../clients/kubernetes/left.js';
import { readingScope } from './observe.js';
import type { Left } from './left.js';

/** Something on a system beyond this machine that bears the run's mark. */
export type Marked = Left & { readonly connection: string };

export type AskMarked = () => Promise<readonly Marked[]>;

export interface MarkedSources {
  readonly plan: Plan;
  readonly world: World;
  readonly bindPorts: (scope: Scope, world: World) => Ports;
  readonly guard: AccessCheck;
  readonly runId: string;
}

/** By reading alone, for a minute at most. */
export function lookForMarked({ plan, world, bindPorts, guard, runId }: MarkedSources): Promise<Marked[]> {
  const signal = AbortSignal.timeout(longestMs);
  return markedObjects(world, bindPorts(readingScope('inventory', guard, signal, runId), world), plan.binding, runId, signal);
}

const longestMs = 60_000;

/** Asks every connection that a run can make something in. What cannot be looked at may be full of it, and is listed as such. */
async function markedObjects(world: World, ports: Ports, binding: PlanBinding, runId: string, signal: AbortSignal): Promise<Marked[]> {
  const found: Marked[] = [];
  for (const [connection, { kind, role }] of world.connections) {
    if (role === 'production') continue;
    if (kind === 'kubernetes') found.push(...(await inCluster(connection, ports, binding, runId, signal)));
    if (kind !== 'aws') continue;
    const system = `aws:${connection}`;
    try {
      const ec2 = ports.ec2.of(connection);
      const volumes = await ec2.volumes({ tags: { [runTag]: runId } });
      const there = volumes.filter(({ state }) => state !== 'deleting' && state !== 'deleted');
      found.push(...there.map(({ id }) => ({ connection, system, object: `volume ${id}`, remedy: `aws ec2 delete-volume --region ${ec2.details.region} --volume-id ${id}` })));
    } catch (error) {
      found.push({ connection, system, object: `what it holds of this run could not be looked at: ${messageOf(error)}`, remedy: `look for what bears the tag ${runTag}=${runId}` });
    }
  }
  return found;
}

/** Of the kinds that the steps may make there, and what their controllers make of these. */
async function inCluster(connection: string, ports: Ports, binding: PlanBinding, runId: string, signal: AbortSignal): Promise<Marked[]> {
  const rights = declaredPermissions(binding).flatMap(({ permissions }) => permissions.filter((permission) => permission.system === 'kubernetes' && permission.connection === connection));
  const kinds = rights.flatMap((right) => {
    if (right.system !== 'kubernetes' || right.resource.includes('/') || !(right.verbs.includes('create') || (right.verbs.includes('list') && children.has(right.resource)))) return [];
    return [{ kind: right.apiGroup === '' ? right.resource : `${right.resource}.${right.apiGroup}`, ...(right.namespace === undefined ? {} : { namespace: right.namespace }) }];
  });
  const system = `kubernetes:${connection}`;
  try {
    return (await labelledObjects(ports.kubernetes.cluster(connection), kinds, `${runLabel}=${runMark(runId)}`, signal)).map((each) => ({ connection, system, ...each }));
  } catch (error) {
    return [{ connection, system, object: `what it holds of this run could not be looked at: ${messageOf(error)}`, remedy: `look for what bears the label ${runLabel}=${runMark(runId)}` }];
  }
}

const children = new Set(['pods', 'persistentvolumeclaims']);
