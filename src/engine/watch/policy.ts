import { Type, type Static } from 'typebox';
import { Check } from 'typebox/schema';
import type { PlanBinding } from '../plan-document.js';
import { strict } from '../schema.js';
import { ExpectedActor } from './profile.js';

/** `binding.environment.watch` of a plan: all that attribution needs, so that approvers sign what will be let through. */
const WatchPolicy = Type.Object(
  {
    required: Type.Array(Type.String()),
    advisory: Type.Array(Type.String()),
    settleMs: Type.Number(),
    watchers: Type.Record(Type.String(), Type.Object({ with: Type.Record(Type.String(), Type.Unknown()), does: Type.String(), calls: Type.Array(Type.String()), permissions: Type.Array(Type.Record(Type.String(), Type.Unknown())) }, strict)),
    profiles: Type.Array(Type.Object({ name: Type.String(), sha256: Type.String(), expect: Type.Array(ExpectedActor) }, strict)),
  },
  strict,
);
export type WatchPolicy = Static<typeof WatchPolicy>;

const nobody: WatchPolicy = { required: [], advisory: [], settleMs: 0, watchers: {}, profiles: [] };

/** The policy of a plan; one that names no watcher where the plan has none. */
export function watchPolicy(environment: Pick<PlanBinding['environment'], 'watch'>): WatchPolicy {
  return Check(WatchPolicy, environment.watch) ? environment.watch : nobody;
}

/** `postgres` is the watcher type `postgres.changes`. */
export const watcherType = (name: string): string => `${name}.changes`;
