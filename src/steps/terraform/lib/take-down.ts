import { randomUUID } from 'node:crypto';
import type { InfrastructurePort, Marked } from '../../../clients/terraform/port.js';
import type { BaseContext, CleanupDefinition } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';

/**
 * Takes down what this run has built where nothing was before. `identity.lineage` is that of the state that the run began;
 * until it is known, only what the applied plan would have made counts as ours.
 */
export const takeDown: CleanupDefinition = {
  summary: 'Destroys what the run built where no resource was before, if the state is still the one that it began',
  async run(data, identity, ctx) {
    const { infrastructure, plan } = data;
    if (typeof infrastructure !== 'string' || typeof plan !== 'string') return;
    const port = ctx.ports.infrastructure;
    const state = await port.state(infrastructure, ctx.signal);
    if (state === null || state.resources.length === 0) return;
    const lineage = identity?.['lineage'];
    const made = Array.isArray(data['makes']) ? data['makes'] : [];
    const ours = lineage === undefined ? state.resources.every((address) => made.includes(address)) : lineage === state.lineage;
    if (!ours) {
      ctx.log(`the state of ${infrastructure} is not the one that this run began: left alone`);
      return;
    }
    const { request } = await port.saved(infrastructure, plan, ctx.signal);
    const { vars, varFiles } = request;
    const { sha256 } = await guarded(ctx, infrastructure, (marked) => port.plan(infrastructure, { destroy: true, ...(vars === undefined ? {} : { vars }), ...(varFiles === undefined ? {} : { varFiles }) }, marked, ctx.signal));
    await guarded(ctx, infrastructure, (marked) => port.apply(infrastructure, sha256, 'destroy', marked, ctx.signal));
    await nothingLeft(port, infrastructure, ctx.signal);
  },
};

/** A cleanup cannot register another: it undoes its own commands. */
async function guarded<T>(ctx: BaseContext, infrastructure: string, work: (marked: Marked) => Promise<T>): Promise<T> {
  const mark = randomUUID();
  try {
    return await work({ mark, onProgress: ({ text }) => ctx.log(text) });
  } finally {
    await ctx.ports.infrastructure.release(infrastructure, mark, ctx.signal);
  }
}

/** Throws StepError `not-destroyed`, naming what is still there. */
export async function nothingLeft(port: InfrastructurePort, infrastructure: string, signal: AbortSignal): Promise<void> {
  const left = (await port.state(infrastructure, signal))?.resources ?? [];
  if (left.length > 0) throw new StepError('not-destroyed', `${left.length} resource(s) of ${infrastructure} are still there: ${left.slice(0, 20).join(', ')}`);
}
