import { expect, test } from 'vitest';
import { step } from '../../../src/steps/drill/fault.js';
import { contextFor, toldOf } from '../lib/context.js';

test('stamps the fault at the given time, or now, and gives that time on', async () => {
  const context = contextFor();
  expect(await step.run({ detail: 'the primary is lost', at: '2026-03-01T10:00:00Z' }, context)).toEqual({ at: '2026-03-01T10:00:00Z' });
  expect(await step.run({ detail: 'the primary is lost' }, context)).toEqual({ at: expect.stringMatching(/Z$/) as string });
  expect(toldOf(context, 'fault')).toEqual([{ detail: 'the primary is lost', at: '2026-03-01T10:00:00Z' }, { detail: 'the primary is lost', at: undefined }]);
});
