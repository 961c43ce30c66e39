import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, test } from 'vitest';
import { operatorPort } from '../../../src/clients/operator/adapter.js';
import { readAnswers } from '../../../src/clients/operator/answers.js';

const question = { stepId: 'dns', instructions: 'Move the name.', attesters: ['alice', 'bob'] };
const { signal } = new AbortController();

/** A person who answers each prompt that `answers` knows. */
function person(answers: Readonly<Record<string, string[]>>): { readonly input: PassThrough; readonly output: PassThrough; readonly said: () => string } {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let said = '';
  output.on('data', (data: Buffer) => {
    said += data.toString();
    for (const [prompt, replies] of Object.entries(answers)) if (said.endsWith(prompt)) input.write(`${replies.shift() ?? ''}\n`);
  });
  return { input, output, said: () => said };
}

describe('at a terminal', () => {
  test('shows the instructions, tells when work begins and takes the attestation', async () => {
    const { said, ...terminal } = person({ '(alice, bob)? ': ['mallory', 'alice'], 'say what you did: ': ['', 'moved app to the copy'] });
    const order: string[] = [];
    const paused = { pause: () => (order.push('paused'), () => void order.push('resumed')) };
    const answer = await operatorPort({ ...terminal, ...paused }, new Map()).manual(question, (who) => Promise.resolve(void order.push(`began ${who}`)), signal);
    expect(answer).toEqual({ who: 'alice', attestation: 'moved app to the copy' });
    expect(order).toEqual(['paused', 'began alice', 'resumed']);
    expect(said()).toContain('Move the name.');
  });

  test('one question after the other', async () => {
    const { said, ...terminal } = person({ 'Who does it? ': ['alice', 'bob'], 'say what you did: ': ['one', 'two'] });
    const operator = operatorPort(terminal, new Map());
    const ask = (stepId: string): ReturnType<typeof operator.manual> => operator.manual({ stepId, instructions: stepId, attesters: [] }, () => Promise.resolve(), signal);
    expect(await Promise.all([ask('first'), ask('second')])).toEqual([{ who: 'alice', attestation: 'one' }, { who: 'bob', attestation: 'two' }]);
    expect(said().indexOf('second')).toBeGreaterThan(said().indexOf('say what you did'));
  });

  test('an input that ends is nobody; an abort ends the prompt', async () => {
    const { input, output } = person({});
    const nobody = operatorPort({ input, output }, new Map()).manual(question, () => Promise.resolve(), signal);
    output.once('data', () => input.end());
    expect(await nobody).toBeUndefined();

    const controller = new AbortController();
    const terminal = person({});
    const pending = operatorPort(terminal, new Map()).manual(question, () => Promise.resolve(), controller.signal);
    terminal.output.once('data', () => controller.abort(new Error('timed out')));
    await expect(pending).rejects.toThrow('timed out');
  });
});

describe('without a terminal', () => {
  const dir = mkdtempSync(join(tmpdir(), 'muster-answers-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const file = (content: string): string => {
    const path = join(dir, 'answers.yaml');
    writeFileSync(path, content);
    return path;
  };

  test('a prepared answer is given; without one there is nobody', async () => {
    const answers = await readAnswers(file('dns: { who: alice, attestation: "moved it, ticket 42" }\n'));
    const began: string[] = [];
    const operator = operatorPort(undefined, answers);
    expect(await operator.manual(question, (who) => Promise.resolve(void began.push(who)), signal)).toEqual({ who: 'alice', attestation: 'moved it, ticket 42' });
    expect(began).toEqual(['alice']);
    expect(await operator.manual({ ...question, stepId: 'other' }, () => Promise.resolve(), signal)).toBeUndefined();
  });

  test.each([
    ['- dns', 'expected { <step id>'],
    ['dns: alice', 'dns: expected { who'],
    ['dns: { who: "", attestation: x }', 'dns.who'],
    ['dns: { who: alice }', 'dns.attestation'],
    ['dns: { who: alice, attestation: x, when: now }', 'when is not expected'],
    ['dns: {', 'cannot be read'],
  ])('%s is refused', async (content, message) => {
    await expect(readAnswers(file(content))).rejects.toThrow(message);
  });
});
