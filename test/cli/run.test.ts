import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processesWith } from '../../src/clients/process/identity.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { environment, Place, runbook } from './lib.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const runOf = (event: DrillEvent): string => (event.type === 'run.started' ? event.data.run : '');

describe('muster run', () => {
  it('passes, leaves a bundle that verifies, and no state', async () => {
    const { code, stdout, stderr } = await place.run(place.drill());
    expect(stderr).not.toContain('\u001b[');
    expect(stdout).toContain('PASSED');
    expect(code).toBe(0);
    expect(place.runs()).toEqual([]);
    const [bundle = ''] = place.bundles();
    expect(place.verdict(bundle)).toBe('passed');
    const verified = await place.run(['verify', join('evidence', bundle)]);
    expect(verified.stdout).toContain('sound');
    expect(verified.code).toBe(0);
  });

  it('exits 1 when a step fails, names it, and says what to do', async () => {
    const { code, stdout } = await place.run(place.drill('--set', 'exit=7'));
    expect(stdout).toMatch(/step-failed at step exit: .*7/);
    expect(stdout).toContain('Read logs/<step>.log in the bundle');
    expect(code).toBe(1);
    expect(place.runs()).toEqual([]);
  });

  it('streams every event of the journal with --json and nothing else on stdout', async () => {
    const { stdout, stderr } = await place.run(place.drill('--json'));
    const events = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as DrillEvent);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(stdout).toBe(readFileSync(join(place.cwd, 'evidence', place.bundles()[0] ?? '', 'data/events.jsonl'), 'utf8'));
    expect(stderr).toContain('PASSED');
  });

  it('keeps a sensitive input out of every byte that it writes', async () => {
    const { stdout, stderr } = await place.run(place.drill('--json', '--set', 'token=c4n4ry-secret'));
    expect(stdout + stderr).not.toContain('c4n4ry');
    expect(stdout).toContain('[redacted]');
  });

  it('refuses with 3 before anything starts when the evidence cannot be written', async () => {
    writeFileSync(join(place.cwd, 'file'), '');
    const { code, stdout, stderr } = await place.run(place.drill('--json', '--evidence-dir', 'file/evidence'));
    expect(code).toBe(3);
    expect(stderr).toContain('refused: cannot write the evidence');
    expect(stdout).toBe('');
    expect(place.runs()).toEqual([]);
  });
});

describe('Ctrl-C', () => {
  it.each(['prepare', 'inject', 'verify'])('in step %s cancels, cleans up and leaves nothing but the bundle', async (step) => {
    const started = place.start(place.drill('--json', '--set', `${step}=60`));
    const run = runOf(await started.event((event) => event.type === 'run.started'));
    await started.event((event) => event.type === 'step.started' && event.step === step);
    started.child.kill('SIGINT');
    const { code, stderr } = await started.ended;
    expect(stderr).toContain('CANCELLED');
    expect(code).toBe(4);
    expect(await processesWith([`MUSTER_RUN=${run}`])).toEqual([]);
    expect(place.runs()).toEqual([]);
    expect(place.verdict(run)).toBe('cancelled');
  });

  it('a hangup does not end a run', async () => {
    const started = place.start(place.drill('--json', '--set', 'prepare=1'));
    await started.event((event) => event.type === 'step.started');
    started.child.kill('SIGHUP');
    expect((await started.ended).code).toBe(0);
  });

  it('twice stops at once and says how to clean up, which then leaves nothing', async () => {
    const stubborn = join(place.cwd, 'stubborn.yaml');
    // Ends neither on SIGTERM nor by itself, so that the run still waits for it when the second signal comes.
    writeFileSync(stubborn, readFileSync(runbook, 'utf8').replace(`argv: [sleep, "{{ inputs.inject }}"]`, `shell: sh, script: "trap '' TERM; while :; do sleep 1; done"`));
    const started = place.start(['run', stubborn, '--env', environment, '--json']);
    const run = runOf(await started.event((event) => event.type === 'run.started'));
    await started.event((event) => event.type === 'step.started' && event.step === 'inject');
    started.child.kill('SIGINT');
    await started.event((event) => event.type === 'cancel.requested');
    started.child.kill('SIGINT');
    const { code, stderr } = await started.ended;
    expect(stderr).toContain(`muster cleanup ${run}`);
    expect(code).toBe(5);
    expect((await place.run(['ps'])).stdout).toMatch(new RegExp(`^${run} +interrupted`));

    const cleaned = await place.run(['cleanup', run]);
    expect(cleaned.stderr).toContain('everything that it made has been removed');
    expect(await processesWith([`MUSTER_RUN=${run}`])).toEqual([]);
    expect(place.runs()).toEqual([]);
    expect(['failed', 'incomplete', 'cancelled']).toContain(place.verdict(run));
  });
});

describe('a run whose process was killed', () => {
  it('is refused to cleanup while it lives; afterwards nothing stays and nothing reads as passed', async () => {
    const started = place.start(place.drill('--json', '--set', 'inject=60'));
    const run = runOf(await started.event((event) => event.type === 'run.started'));
    await started.event((event) => event.type === 'step.started' && event.step === 'inject');
    const early = await place.run(['cleanup', run]);
    expect(early.stderr).toContain('still under way');
    expect(early.code).toBe(3);
    started.child.kill('SIGKILL');
    await started.ended;

    const resumed = await place.run(['resume', run]);
    expect(resumed.stderr).toContain('step inject (exec) had begun and may have altered something already');
    expect(resumed.code).toBe(3);

    const { code, stdout } = await place.run(['cleanup', run]);
    expect(stdout).toContain('INCOMPLETE');
    expect(code).toBe(0);
    expect(await processesWith([`MUSTER_RUN=${run}`])).toEqual([]);
    expect(existsSync(join(place.state, 'runs', run))).toBe(false);
    expect((await place.run(['verify', join('evidence', run)])).code).toBe(0);
  });
});
