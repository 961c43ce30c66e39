import { messageOf, RefusedError } from '../errors.js';
import type { ReadyProbe } from '../probes.js';
import { render } from '../template.js';
import { watcherType, watchPolicy } from '../watch/policy.js';
import type { ReadyWatcher } from '../watchers.js';
import type { Runtime } from './runtime.js';

/** Renders the probes' inputs. Throws RefusedError: nothing has been broken yet. */
export async function readyProbes({ request, check, known }: Runtime): Promise<ReadyProbe[]> {
  const ready: ReadyProbe[] = [];
  for (const { id, uses, everyMs } of request.plan.binding.probes) {
    try {
      const definition = await request.registry.probe(uses);
      const input = render(request.runbook.probes?.[id]?.with ?? {}, known);
      if (!check(definition.input, input)) throw new Error(check.problems(definition.input, input).join('; '));
      ready.push({ id, definition, input: input as Record<string, unknown>, everyMs });
    } catch (error) {
      throw new RefusedError(`probe ${id} has no valid input: ${messageOf(error)}`, [], { cause: error });
    }
  }
  return ready;
}

/** The watchers that the environment names, the required ones first. Throws RefusedError: nothing has been broken yet. */
export async function readyWatchers({ request, check }: Runtime): Promise<ReadyWatcher[]> {
  const policy = watchPolicy(request.plan.binding.environment);
  const ready: ReadyWatcher[] = [];
  for (const name of [...policy.required, ...policy.advisory]) {
    const definition = await request.registry.watcher(watcherType(name));
    const input = policy.watchers[name]?.with ?? {};
    if (!check(definition.input, input)) throw new RefusedError(`watcher ${name} has no valid input: ${check.problems(definition.input, input).join('; ')}`);
    ready.push({ name, definition, input, required: policy.required.includes(name) });
  }
  return ready;
}
