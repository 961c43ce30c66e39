import { resolve } from 'node:path';
import { parseDuration } from '../duration.js';
import { loadProfile } from '../load/profile.js';
import type { PlanRequest } from './request.js';
import { watcherType, type WatchPolicy } from '../watch/policy.js';

const defaultSettle = '2s';

/** Who watches, and whom the profiles let through. Throws DocumentError for a profile that cannot be used. */
export async function planWatch({ environment, cwd, registry }: Pick<PlanRequest, 'environment' | 'cwd' | 'registry'>): Promise<WatchPolicy | object> {
  const { watch } = environment.document;
  if (watch === undefined) return {};
  const { required = [], advisory = [], profiles = [], settle = defaultSettle, with: inputs = {} } = watch;
  const watchers: WatchPolicy['watchers'] = {};
  for (const name of [...required, ...advisory]) {
    const definition = await registry.watcher(watcherType(name));
    const input = inputs[name] ?? {};
    const { does, calls } = definition.plan(input);
    watchers[name] = { with: input, does, calls: [...calls], permissions: definition.permissions(input).map((permission) => ({ ...permission })) };
  }
  const loaded: WatchPolicy['profiles'] = [];
  for (const [index, name] of profiles.entries()) loaded.push(await loadProfile(name, resolve(cwd, environment.path), environment.position(['watch', 'profiles', index])));
  return { required: [...required], advisory: [...advisory], settleMs: parseDuration(settle), watchers, profiles: loaded } satisfies WatchPolicy;
}
