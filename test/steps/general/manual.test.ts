import { describe, expect, test } from 'vitest';
import { step } from '../../../src/steps/general/manual.js';
import { contextFor, toldOf } from '../lib/context.js';

const input = { instructions: 'Move the name.', attesters: ['alice'], changes: [{ system: 'dns', object: 'app' }], health: 'The name leads to the copy' };
const instant = { at: expect.any(String) as string, mono: expect.any(String) as string };

test('an answer is journaled as asked, began and done, with who attests', async () => {
  const context = contextFor({ answers: new Map([['step', { who: 'alice', attestation: 'moved it' }]]) });
  expect(await step.run(input, context)).toEqual({ who: 'alice', attestation: 'moved it' });
  expect(context.told).toEqual([
    ['human asked', { instructions: 'Move the name.', instant }],
    ['human began', { who: 'alice', instant }],
    ['human done', { who: 'alice', attestation: 'moved it', answered: true, instant }],
    ['evidence health-checks', { checks: [{ name: 'The name leads to the copy', ok: true, detail: 'attested by alice' }] }],
  ]);
});

describe('without a valid answer it stays unanswered and proves nothing:', () => {
  test('nobody', async () => {
    const context = contextFor();
    await expect(step.run(input, context)).rejects.toMatchObject({ code: 'manual-unanswered' });
    expect(context.told.map(([what]) => what)).toEqual(['human asked', 'human done']);
    expect(toldOf(context, 'human done')).toEqual([{ who: null, instant, answered: false, attestation: null }]);
  });

  test('somebody who may not attest it', async () => {
    const context = contextFor({ answers: new Map([['step', { who: 'mallory', attestation: 'moved it' }]]) });
    await expect(step.run(input, context)).rejects.toThrow('mallory may not attest this step; alice may');
    expect(toldOf(context, 'human done')).toEqual([{ who: 'mallory', instant, answered: false, attestation: null }]);
    expect(toldOf(context, 'evidence health-checks')).toEqual([]);
  });
});

test('declares what the person may alter', () => {
  expect(step.changes(input)).toEqual([{ system: 'dns', object: 'app' }]);
});
