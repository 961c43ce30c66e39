import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pendingCleanups } from '../../src/engine/cleanup.js';
import { GuardError, RefusedError } from '../../src/engine/errors.js';
import { Cancelled } from '../../src/engine/retry.js';
import { derive } from '../../src/engine/verdict.js';
import { worldFromEvents } from '../../src/engine/world.js';
import { drillOf, eventsOf, run, story, tempDir } from './fixtures/drill.js';

let dir: string;
const at = (name: string) => join(dir, name);
const lines = async (name: string) => (await readFile(at(name), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
const make = (id: string, phase: 'prepare' | 'inject' | 'restore' = 'restore', more: Record<string, unknown> = {}) => ({ id, uses: 'fixture.make', phase, with: { path: at(id), order: at('order'), ...more } });
const noop = (id: string) => ({ id, uses: 'fixture.noop' });
const sleeping = (id: string, more = {}) => ({ id, uses: 'fixture.sleep', with: { seconds: 600, pids: at('pids') }, ...more });
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const availability = { id: 'availability', uses: 'fixture.availability', with: { down: '{{ inputs.down }}', every: 5 } };

beforeEach(async () => {
  dir = await tempDir();
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('steps', () => {
  it('run in order, each fed by the outputs of those before it', async () => {
    const { result, events } = await run(dir, {
      inputs: { n: 7 },
      steps: [
        { id: 'a', uses: 'fixture.echo', with: { value: { list: ['{{ inputs.n }}'] } } },
        { id: 'b', uses: 'fixture.echo', with: { value: 'got {{ steps.a.value.list.0 }} in {{ env.name }} {{ run.id }}' } },
      ],
    });
    expect(result).toEqual({ completed: true, cancelled: false, cleanupFailures: [] });
    expect(story(events)).toEqual(['started a', 'succeeded a', 'started b', 'succeeded b']);
    expect(eventsOf(events, 'step.started')[1]?.data.with).toEqual({ value: 'got 7 in fixture run-1' });
    expect(events[0]?.type).toBe('run.started');
    expect(events.at(-1)?.type).toBe('run.finished');
    expect(await lines('run/logs/a.log')).toHaveLength(1);
  });

  it('fail on an input that its rendering made invalid, and the rest is left out', async () => {
    const { result, events } = await run(dir, {
      inputs: { seconds: 'ten' },
      steps: [sleeping('a', { with: { seconds: '{{ inputs.seconds }}', pids: 'x' } }), noop('b'), { parallel: { x: [noop('c')], y: [noop('d')] } }],
    });
    expect(result.completed).toBe(false);
    expect(story(events)).toEqual(['started a', 'failed a', 'skipped b', 'skipped c', 'skipped d']);
    expect(eventsOf(events, 'step.finished')[0]?.data.error).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('/seconds') });
    expect(eventsOf(events, 'step.skipped')[0]?.data).toEqual({ because: 'earlier-failure', detail: 'step a failed' });
  });

  it('end what they started when their time is over, before the next thing happens', async () => {
    const { events } = await run(dir, { steps: [sleeping('a', { timeoutMs: 100 }), noop('b')] });
    const [pid] = (await lines('pids')).map(Number);
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid ?? 0)).toBe(false);
    expect(story(events)).toEqual(['started a', 'timed-out a', 'skipped b']);
    expect(eventsOf(events, 'step.finished')[0]?.data.error?.code).toBe('timed-out');
  });

  it('are tried again by the engine, and every failed attempt is on record', async () => {
    const { events } = await run(dir, { steps: [{ id: 'a', uses: 'fixture.flaky', with: { failures: 2, retryable: true, tries: at('tries') }, attempts: 3 }] });
    expect(eventsOf(events, 'step.attempt-failed').map(({ attempt, data }) => [attempt, data.error.code, data.timedOut])).toEqual([[1, 'not-yet', false], [2, 'not-yet', false]]);
    expect(eventsOf(events, 'step.finished')[0]).toMatchObject({ attempt: 3, data: { status: 'succeeded', output: { tries: 3 } } });
  });

  it('that fail are the operator\'s to repeat, and the choice is on record', async () => {
    const { result, events } = await run(dir, { steps: [{ id: 'a', uses: 'fixture.flaky', with: { failures: 1, retryable: false, tries: at('tries') } }, noop('b')] }, { hooks: { failedStep: async () => 'retry' } });
    expect(result.completed).toBe(true);
    expect(eventsOf(events, 'operator.chose').map(({ data }) => data.choice)).toEqual(['retry']);
    expect(eventsOf(events, 'step.finished').map(({ step, attempt, data }) => [step, attempt, data.status])).toEqual([['a', 1, 'failed'], ['a', 2, 'succeeded'], ['b', 1, 'succeeded']]);
  });

  it('side by side may be many', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const { result } = await run(dir, { steps: [{ parallel: Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`b${index}`, [sleeping(`s${index}`, { with: { seconds: 0.05, pids: at('pids') } })]])) }] });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(result.completed).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('side by side are ended by the first failure among them', async () => {
    const { events } = await run(dir, { steps: [{ parallel: { slow: [sleeping('s1'), noop('s2')], bad: [{ id: 'b1', uses: 'fixture.flaky', with: { failures: 1, retryable: false, tries: at('tries') } }] } }, noop('z')] });
    for (const pid of await lines('pids')) expect(isAlive(Number(pid))).toBe(false);
    expect(story(events).sort()).toEqual(['cancelled s1', 'failed b1', 'skipped s2', 'skipped z', 'started b1', 'started s1']);
    expect(eventsOf(events, 'step.finished').find(({ step }) => step === 's1')).toMatchObject({ parent: 'slow', data: { error: { code: 'sibling-failed', message: 'step b1 of branch bad failed' } } });
    expect(eventsOf(events, 'step.skipped')[0]?.data.because).toBe('earlier-failure');
  });
});

describe('cancelling', () => {
  it('ends the running step, leaves out the rest and cleans up', async () => {
    const cancel = new AbortController();
    const { result, events } = await run(dir, { steps: [make('m'), sleeping('s'), noop('z')] }, {
      signal: cancel.signal,
      onEvent: (event) => {
        if (event.type === 'step.started' && event.step === 's') cancel.abort(new Cancelled('SIGINT'));
      },
    });
    expect(result).toEqual({ completed: false, cancelled: true, cleanupFailures: [] });
    expect(story(events)).toEqual(['started m', 'succeeded m', 'started s', 'cancelled s', 'skipped z']);
    expect(eventsOf(events, 'cancel.requested')[0]?.data.by).toBe('SIGINT');
    expect(eventsOf(events, 'step.skipped')[0]?.data.because).toBe('cancelled');
    expect(existsSync(at('m'))).toBe(false);
    for (const pid of await lines('pids')) expect(isAlive(Number(pid))).toBe(false);
  });

  it('before anything began starts nothing', async () => {
    const { result, events } = await run(dir, { steps: [make('m', 'prepare')] }, { signal: AbortSignal.abort(new Cancelled('SIGTERM')) });
    expect(result).toMatchObject({ completed: false, cancelled: true });
    expect(events.map(({ type }) => type)).toEqual(['run.started', 'cancel.requested', 'step.skipped', 'run.finished']);
  });
});

describe('cleanup', () => {
  const two = (more = {}) => [make('one'), make('two', 'restore', more)];

  it.each([
    ['success', false],
    ['failure', true],
  ])('undoes last-in first-out after %s', async (_name, fail) => {
    const steps = [...two(), make('three', 'restore', { fail })];
    const { result, events } = await run(dir, { steps });
    expect(result.completed).toBe(!fail);
    expect(await lines('order')).toEqual(steps.map(({ id }) => at(id)).reverse());
    for (const { id } of steps) expect(existsSync(at(id))).toBe(false);
    expect(eventsOf(events, 'cleanup.finished').every(({ data }) => data.ok)).toBe(true);
  });

  it('goes on when one of them fails or takes too long, and says which', async () => {
    const { result, events } = await run(dir, { steps: [make('one'), make('two', 'restore', { stuck: true }), make('three')] }, { limits: { cleanupMs: 50 } });
    expect(await lines('order')).toEqual([at('three'), at('two'), at('one')]);
    expect(result.cleanupFailures).toEqual([{ id: 'c2', uses: 'fixture.make/remove', error: 'the cleanup took longer than 50 ms' }]);
    expect(eventsOf(events, 'cleanup.finished').map(({ data }) => [data.id, data.ok])).toEqual([['c3', true], ['c2', false], ['c1', true]]);
  });

  it('steps of the runbook run after it, also after a failure, and what they make is undone too', async () => {
    const { events } = await run(dir, { steps: [make('one', 'restore', { fail: true })], cleanup: [{ id: 'last', uses: 'fixture.make', with: { path: at('last'), order: at('order') } }, noop('end')] });
    expect(story(events).slice(-4)).toEqual(['started last', 'succeeded last', 'started end', 'succeeded end']);
    expect(await lines('order')).toEqual([at('one'), at('last')]);
  });

  it('is on disk before the call that needs it, and so is the start of its step', async () => {
    const onDisk: boolean[] = [];
    const guard = { check: (target: { kind: string; path?: string }, effect: string) => {
      if (effect !== 'create') return;
      const text = readFileSync(at('run/journal.jsonl'), 'utf8');
      onDisk.push(text.includes('"type":"step.started"') && text.includes(`"uses":"fixture.make/remove","with":{"path":"${target.path}"`));
    } };
    await run(dir, { steps: two() }, { guard });
    expect(onDisk).toEqual([true, true]);
  });

  it('leaves with --keep what a target and its steps need, says what, and removes the rest', async () => {
    const place = (role: 'source' | 'target') => ({ kind: 'place', role, provision: 'fixture.place', does: '', with: { path: at(role), order: at('made') } });
    const { events } = await run(
      dir,
      { connections: { old: place('source'), copy: place('target') }, steps: [make('one'), make('two', 'inject', {}), { ...make('three'), changes: [{ system: 'place:copy', object: '*' }] }] },
      { keep: true },
    );
    expect(['one', 'two', 'three', 'source', 'target'].filter((name) => existsSync(at(name)))).toEqual(['three', 'target']);
    expect(eventsOf(events, 'run.kept').map(({ data }) => [data.cleanups, data.things])).toEqual([[['c5', 'c2'], [{ system: 'place:copy', object: at('target') }]]]);
    expect(pendingCleanups(events).map(({ id }) => id)).toEqual(['c5', 'c2']);
    expect(events.at(-1)?.type).toBe('run.finished');
  });

  it('keeps nothing of a run that ended before its fault', async () => {
    const { events } = await run(dir, { connections: { copy: { kind: 'place', role: 'target', provision: 'fixture.place', does: '', with: { path: at('target'), order: at('made') } } }, steps: [make('one', 'prepare', { fail: true })] }, { keep: true });
    expect(existsSync(at('target'))).toBe(false);
    expect(eventsOf(events, 'run.kept')).toEqual([]);
  });
});

describe('the fault', () => {
  it('is stamped once, before the first call that alters something, whichever branch makes it', async () => {
    const guarded: { path: string; stamped: boolean }[] = [];
    let stamped = 0;
    const { events } = await run(dir, { steps: [make('early', 'prepare'), { id: 'look', uses: 'fixture.noop', phase: 'inject' }, { parallel: { a: [make('a', 'inject')], b: [make('b', 'inject')], c: [make('c', 'inject')] } }, make('late', 'inject')] }, {
      hooks: { faultSent: () => (stamped += 1) },
      onEvent: (event) => {
        if (event.type === 'fault.sent') guarded.push(...['a', 'b', 'c'].map((path) => ({ path, stamped: existsSync(at(path)) })));
      },
    });
    expect(stamped).toBe(1);
    const [fault, ...more] = eventsOf(events, 'fault.sent');
    expect(more).toEqual([]);
    expect(fault?.data.kind).toBe('injected');
    expect(['a', 'b', 'c']).toContain(fault?.step);
    expect(guarded).toEqual(['a', 'b', 'c'].map((path) => ({ path, stamped: false })));
    expect(story(events).indexOf('fault')).toBeGreaterThan(story(events).indexOf('succeeded look'));
  });

  it('of a declared drill is placed on the clock of this boot', async () => {
    const before = Date.now() - 1_000;
    const { events } = await run(dir, { fault: 'declared', steps: [{ id: 'f', uses: 'fixture.fault', phase: 'inject', with: { at: new Date(before).toISOString() } }, make('m', 'inject')] });
    const [fault, ...more] = eventsOf(events, 'fault.sent');
    expect(more).toEqual([]);
    expect(fault?.data).toMatchObject({ kind: 'declared', instant: { at: new Date(before).toISOString() } });
    const agoMs = Number(BigInt(fault?.mono ?? 0) - BigInt(fault?.data.instant.mono ?? 0)) / 1e6;
    expect(agoMs).toBeGreaterThanOrEqual(1_000 - 1);
    expect(Math.abs(agoMs - (Date.parse(fault?.at ?? '') - before))).toBeLessThan(50);
  });
});

describe('refusals before the first inject', () => {
  it('of a step that alters more than its plan says', async () => {
    const { result, events } = await run(dir, { steps: [{ ...make('quiet', 'inject'), effect: 'read' }] });
    expect(result.refused?.message).toContain('step quiet is planned with the effect read');
    expect(eventsOf(events, 'fault.sent')).toEqual([]);
    expect(existsSync(at('quiet'))).toBe(false);
  });

  it('do not hold a step back from its own scratch files', async () => {
    const { result } = await run(dir, { steps: [{ ...make('scratch', 'prepare'), with: { path: at('run/work/scratch'), order: at('order') }, effect: 'read' }], fault: 'declared' });
    // Nobody made the folder: the write itself failed, it was not refused.
    expect(result.refused).toBeUndefined();
  });

  it('of the guard undo what prepare made', async () => {
    const guard = { check: (target: { kind: string; path?: string }) => { if (target.path === at('bad')) throw new GuardError('outside the boundary', ['directories']); } };
    const { result, events } = await run(dir, { steps: [make('good', 'prepare'), make('bad', 'inject')] }, { guard, keep: true });
    expect(result.refused?.message).toBe('outside the boundary');
    expect(eventsOf(events, 'fault.sent')).toEqual([]);
    expect(existsSync(at('good'))).toBe(false);
    expect(existsSync(at('bad'))).toBe(false);
  });

  it('of the guard after the fault are a failed step, not a refusal', async () => {
    const guard = { check: (target: { kind: string; path?: string }) => { if (target.path === at('bad')) throw new GuardError('outside the boundary'); } };
    const { result, events } = await run(dir, { steps: [make('break', 'inject'), make('bad', 'restore')] }, { guard });
    expect(result.refused).toBeUndefined();
    expect(eventsOf(events, 'step.finished').at(-1)?.data).toMatchObject({ status: 'failed', error: { code: 'refused' } });
  });

  it('from outside of the steps are counted after the fault: what was broken is never forgotten', async () => {
    const boundary = (when: 'before' | 'after') => (when === 'before' ? Promise.resolve([]) : Promise.reject(new RefusedError('production was out of sight', ['for a while'])));
    const source = { steps: [make('break', 'inject'), make('mend', 'restore')] };
    const { result, events } = await run(dir, source, { hooks: { boundary } });
    expect(result.refused).toBeUndefined();
    expect(result.completed).toBe(false);
    expect(events.at(-1)?.type).toBe('run.finished');
    const { plan, runbook } = drillOf(source);
    const { verdict, reasons } = derive(runbook, plan, events);
    expect(verdict).not.toBe('passed');
    expect(reasons).toContainEqual(expect.objectContaining({ code: 'partial-run', detail: expect.stringContaining('refused after the fault') as string }));
    expect(eventsOf(events, 'preflight.checked').at(-1)?.data.detail).toBe('production was out of sight; for a while');
  });

  it('for want of a healthy baseline name the probe', async () => {
    await writeFile(at('down'), '');
    const { result, events } = await run(dir, { inputs: { down: at('down') }, probes: [availability], steps: [make('m', 'prepare'), make('bad', 'inject')] }, { limits: { baselineMs: 200 } });
    expect(result.refused?.details).toEqual(['probe availability (fixture.availability) did not show 5 healthy samples in a row']);
    expect(existsSync(at('m'))).toBe(false);
    expect(story(events)).toContain('skipped bad');
    expect(eventsOf(events, 'probe.stopped')).toHaveLength(1);
  });

  it('when a connection cannot be made undo those that were', async () => {
    const place = (more = {}) => ({ kind: 'place', role: 'source' as const, provision: 'fixture.place', does: '', with: { order: at('order'), ...more } });
    const { result } = await run(dir, { connections: { a: place({ path: at('pa') }), b: place({ path: at('pb'), fail: true }) }, steps: [noop('x')] });
    expect(result.refused?.message).toBe('connection b could not be provisioned: there is no room');
    expect(existsSync(at('pa'))).toBe(false);
    expect(existsSync(at('pb'))).toBe(false);
  });
});

describe('the environment', () => {
  it('is made with what a connection needs before it, and can be rebuilt from the journal', async () => {
    const place = (name: string, more = {}) => ({ kind: 'place', role: 'source' as const, provision: 'fixture.place', does: '', with: { path: at(name), order: at('made'), ...more } });
    const { events } = await run(dir, { connections: { a: place('pa', { needs: 'b' }), b: place('pb') }, endpoints: { app: { provision: 'forwarder', to: 'a', host: null, port: null } }, steps: [noop('x')] });
    expect(await lines('made')).toEqual(['b', 'a']);
    const world = worldFromEvents(events);
    expect([...world.connections.keys()]).toEqual(['b', 'a']);
    expect(world.connections.get('a')?.details).toEqual({ path: at('pa') });
    expect(world.endpoints.get('app')).toEqual({ host: '127.0.0.1', port: 1, to: 'a' });
  });
});

describe('the journal of a run', () => {
  it('holds no sensitive input, neither as text nor encoded', async () => {
    const secret = 'pa ss/w"ord';
    const { Redactor } = await import('../../src/engine/redact.js');
    const redactor = new Redactor();
    redactor.add(secret);
    const { text } = await run(dir, { inputs: { secret }, steps: [{ id: 'a', uses: 'fixture.echo', with: { value: { url: `http://x/?p=${encodeURIComponent(secret)}`, deep: ['{{ inputs.secret }}'], base64: Buffer.from(`u:${secret}!`).toString('base64') } } }, { id: 'b', uses: 'fixture.echo', with: { value: '{{ inputs.secret }}' } }] }, { redactor });
    for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(`u:${secret}!`).toString('base64')]) expect(text).not.toContain(form);
    expect(await readFile(at('run/logs/b.log'), 'utf8')).toBe('value [redacted]\n');
  });

  it('grows by the same lines per step however long the runbook is', async () => {
    const { result, events } = await run(dir, { steps: Array.from({ length: 1_000 }, (_, index) => noop(`s${index}`)) });
    expect(result.completed).toBe(true);
    expect(events).toHaveLength(2 * 1_000 + 3);
  });
});
