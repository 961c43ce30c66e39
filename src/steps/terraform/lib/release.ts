import { randomUUID } from 'node:crypto';
import type { Marked } from '../../../clients/terraform/port.js';
import type { CleanupDefinition, StepContext } from '../../../engine/define-step.js';

/** Every step type whose command locks the state has it, under the name `release`. */
export const release: CleanupDefinition = {
  summary: 'Ends what still runs of the command, gently first, and removes the state lock that it left, by the ID that it announced; never another’s',
  async run(data, _identity, ctx) {
    const { infrastructure, mark } = data;
    if (typeof infrastructure === 'string' && typeof mark === 'string') await ctx.ports.infrastructure.release(infrastructure, mark, ctx.signal);
  },
};

/** Runs a command that locks the state, under a marker that is registered before. */
export async function releasing<T>(ctx: Pick<StepContext, 'defer' | 'log'>, type: string, infrastructure: string, work: (marked: Marked) => Promise<T>): Promise<T> {
  const mark = randomUUID();
  const cleanup = await ctx.defer({ uses: `${type}/release`, with: { infrastructure, mark } });
  const done = await work({ mark, onProgress: ({ text }) => ctx.log(text) });
  await cleanup.done();
  return done;
}
