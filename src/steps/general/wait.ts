import { Type } from 'typebox';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { Duration, literals, ProbeName, strict } from '../../engine/schema.js';

export const step = defineStep({
  type: 'wait',
  summary: 'Waits for a time, or until a probe of the runbook says what is waited for.',
  input: Type.Object(
    {
      for: Type.Optional(Duration('How long to wait.')),
      probe: Type.Optional(ProbeName('The availability probe to watch')),
      until: Type.Optional(literals(['failing', 'healthy'], { description: 'What the probe must say' })),
      samples: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1, description: 'How many samples in a row must say so' })),
    },
    strict,
  ),
  output: Type.Object({ waitedMs: Type.Number() }, strict),
  effect: 'read',
  changes: () => [],
  permissions: () => [],
  evidence: [],
  examples: [
    { title: 'A quarter of a minute', with: { for: '15s' } },
    { title: 'Until monitoring would have noticed', with: { probe: 'availability', until: 'failing', samples: 3 } },
  ],
  plan(given) {
    const input = membersOf(given);
    const samples = input.samples === undefined || input.samples === 1 ? '' : ` for ${inWords(input.samples)} samples in a row`;
    return { does: input.for === undefined ? `Waits until probe ${inWords(input.probe)} is ${inWords(input.until)}${samples}` : `Waits ${inWords(input.for)}`, calls: [] };
  },
  async run(input, ctx) {
    const started = process.hrtime.bigint();
    if (input.for !== undefined && input.probe === undefined && input.until === undefined) await ctx.clock.sleep(parseDuration(input.for), ctx.signal);
    else if (input.for === undefined && input.probe !== undefined && input.until !== undefined) await untilProbe(input.probe, input.until === 'healthy', input.samples ?? 1, ctx);
    else throw new StepError('bad-input', 'give either `for`, or `probe` with `until`');
    return { waitedMs: Number(process.hrtime.bigint() - started) / 1e6 };
  },
});

/** What the probe said before this step counts for one sample. */
async function untilProbe(probe: string, healthy: boolean, samples: number, ctx: StepContext): Promise<void> {
  for (let agreeing = ctx.probe(probe).healthy === healthy ? 1 : 0; agreeing < samples; ) {
    await ctx.nextSample(probe);
    agreeing = ctx.probe(probe).healthy === healthy ? agreeing + 1 : 0;
  }
}
