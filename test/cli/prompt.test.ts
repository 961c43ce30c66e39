import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/engine/package-root.js';
import { environment, Place } from './lib.js';

const flagBook = join(packageRoot(), 'test/cli/fixtures/flag.yaml');
let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const drill = (...more: string[]) => ['run', flagBook, '--env', environment, '--set', `flag=${join(place.cwd, 'flag')}`, ...more];
const question = 'What now? [r/m/s/a]';
const only = () => place.bundles()[0] ?? '';

describe('a failed step at a terminal', () => {
  it('takes down what somebody changed by hand, goes on, and fails for it', async () => {
    const terminal = place.terminal(drill());
    await terminal.shows('there is no flag');
    await terminal.shows(question);
    terminal.type('m\r');
    await terminal.shows('What did you change?');
    terminal.type('put the flag there\r');
    await terminal.shows('Who did it?');
    terminal.type('ann\r');
    await terminal.shows(question);
    writeFileSync(join(place.cwd, 'flag'), '');
    terminal.type('r\r');
    const { code, screen } = await terminal.ended;
    expect(screen).toContain('ann says: put the flag there');
    expect(screen.slice(screen.lastIndexOf('Restore'))).toContain('✔ flag');
    expect(code).toBe(1);
    const { verdict, reasons, steps } = place.drillOf(only());
    expect(verdict).toBe('failed');
    expect(reasons.map((reason) => [reason.code, reason.step])).toEqual([['undocumented-change', 'flag'], ['operator-retry', 'flag']]);
    expect(steps.map(({ id, status }) => [id, status])).toEqual([['inject', 'succeeded'], ['flag', 'succeeded'], ['last', 'succeeded']]);
  });

  it('can be skipped: the rest is done and the drill does not pass', async () => {
    const terminal = place.terminal(drill());
    await terminal.shows(question);
    terminal.type('x\r');
    await terminal.shows(question);
    terminal.type('skip\r');
    expect((await terminal.ended).code).toBe(1);
    const { reasons, steps } = place.drillOf(only());
    expect(reasons.map(({ code }) => code)).toEqual(['step-failed', 'step-skipped']);
    expect(steps.at(-1)?.status).toBe('succeeded');
  });

  it('can end the drill', async () => {
    const terminal = place.terminal(drill());
    await terminal.shows(question);
    terminal.type('a\r');
    expect((await terminal.ended).code).toBe(1);
    expect(place.drillOf(only()).steps.at(-1)?.status).toBe('skipped');
    expect(place.events(only()).some((event) => event.type === 'operator.chose' && event.data.choice === 'abort')).toBe(true);
  });

  it('is cancelled by Ctrl-C at the question', async () => {
    const terminal = place.terminal(drill());
    await terminal.shows(question);
    terminal.type('\u0003');
    await terminal.ended;
    expect(place.events(only()).map(({ type }) => type)).toContain('cancel.requested');
    expect(place.runs()).toEqual([]);
  });

  it('whose terminal is lost while it asks ends the steps, as without a terminal, and blames nobody for it', async () => {
    const terminal = place.terminal(drill());
    await terminal.shows(question);
    terminal.hangUp();
    expect((await terminal.ended).code).toBe(1);
    expect(place.drillOf(only()).reasons.map(({ code }) => code)).toEqual(['step-failed']);
    expect(place.events(only()).filter(({ type }) => type === 'operator.chose')).toEqual([]);
  });

  it('asks nothing with --yes', async () => {
    const { code, screen } = await place.terminal(drill('--yes')).ended;
    expect(screen).not.toContain(question);
    expect(code).toBe(1);
  });
});

it('a drill whose terminal is closed goes on to its end', async () => {
  writeFileSync(join(place.cwd, 'flag'), '');
  const terminal = place.terminal(drill('--set', 'slow=1.5'));
  await terminal.shows('last');
  terminal.hangUp();
  expect((await terminal.ended).code).toBe(0);
  expect(place.verdict(only())).toBe('passed');
  expect(place.runs()).toEqual([]);
});

it('a second Ctrl-C says on the drawing what is left and how to remove it', async () => {
  const book = join(place.cwd, 'undo.yaml');
  const waiting = (flag: string) => JSON.stringify({ shell: 'sh', script: 'until test -e "$1"; do sleep 0.05; done', argv: [join(place.cwd, flag)], effect: 'read' });
  writeFileSync(book, `apiVersion: muster/v1
kind: Runbook
metadata: { name: undo, version: 1.0.0, title: Undone slowly, owner: tests }
objectives: {}
fault: injected
requires: {}
steps:
  - { id: hold, phase: prepare, uses: exec, with: ${waiting('never')} }
cleanup:
  - { id: undo, uses: exec, with: ${waiting('flag')} }
`);
  const terminal = place.terminal(['run', book, '--env', environment]);
  await terminal.shows('hold');
  terminal.type('\u0003');
  await terminal.shows('undo');
  terminal.type('\u0003');
  const { code, screen } = await terminal.ended;
  expect(code).toBe(5);
  const [run = ''] = place.runs();
  expect(screen).toContain(`muster cleanup ${run}`);
  writeFileSync(join(place.cwd, 'flag'), '');
  expect(await place.run(['cleanup', run])).toMatchObject({ code: 0 });
  expect(place.runs()).toEqual([]);
});
