import type { BaseContext, CleanupDefinition } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';

/** What `terragrunt.apply` notes before it begins: units that had nothing then. Whatever is in them afterwards is the run's. */
export interface Built {
  readonly infrastructure: string;
  readonly mark: string;
  readonly units: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const twoHours = 7_200_000;

/** Ends what still runs, gives back the locks that it left, and destroys what is in units that were empty before. */
export const removeBuilt: CleanupDefinition = {
  summary: 'Ends what still runs, removes the state locks that it left, and destroys what was built in units that had been empty',
  timeoutMs: twoHours,
  async run(data, _identity, ctx) {
    if (!isBuilt(data)) throw new StepError('bad-cleanup', 'the cleanup does not say what was built');
    const { infrastructure, mark, units, env } = data;
    await ctx.ports.terragrunt.release(infrastructure, mark, units, env, ctx.signal);
    const full = await holding(data, ctx);
    if (full.length === 0) return;
    const own = `${mark}-removal`;
    try {
      await ctx.ports.terragrunt.destroyAll(infrastructure, full, env, { mark: own, onLine: (line) => ctx.log(line) }, ctx.signal);
    } finally {
      await ctx.ports.terragrunt.release(infrastructure, own, full, env, ctx.signal);
    }
    const left = await holding(data, ctx);
    if (left.length > 0) throw new StepError('resources-left', `resources are left in ${left.join(', ')}`);
  },
};

/** Units that hold anything. */
async function holding({ infrastructure, units, env }: Built, ctx: BaseContext): Promise<string[]> {
  const states = await ctx.ports.terragrunt.states(infrastructure, units, env, ctx.signal);
  return states.filter(({ state }) => state !== null && state.resources.length > 0).map(({ unit }) => unit);
}

function isBuilt(data: Record<string, unknown>): data is Record<string, unknown> & Built {
  return typeof data['infrastructure'] === 'string' && typeof data['mark'] === 'string' && Array.isArray(data['units']) && typeof data['env'] === 'object';
}
