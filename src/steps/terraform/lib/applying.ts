import type { SavedPlan } from '../../../clients/terraform/port.js';
import type { StateFacts } from '../../../clients/terraform/state.js';
import type { StepContext } from '../../../engine/define-step.js';
import { messageOf } from '../../../engine/errors.js';
import { gone, recordState, unit } from './facts.js';
import { releasing } from './release.js';

/** Applies a plan that was shown and allowed, and tells how it went: the unit's time, and the state that it left. */
export async function applying(type: string, infrastructure: string, { sha256, facts, request }: SavedPlan, ctx: StepContext): Promise<StateFacts | null> {
  const { infrastructure: port } = ctx.ports;
  const started = ctx.clock.now().at;
  const finished = (result: string, cause: string | null) => ctx.unit('finished', { unit, started, ended: ctx.clock.now().at, result, reason: null, cause, after: [] });
  await ctx.unit('running', { unit });
  try {
    await releasing(ctx, type, infrastructure, (marked) => port.apply(infrastructure, sha256, gone(facts).length > 0 ? 'destroy' : 'modify', marked, ctx.signal));
  } catch (error) {
    await finished('failed', messageOf(error).slice(0, 300));
    throw error;
  }
  await finished('succeeded', null);
  const state = await port.state(infrastructure, ctx.signal);
  await recordState(infrastructure, request.destroy === true ? 'destroyed' : 'applied', state, ctx);
  return state;
}
