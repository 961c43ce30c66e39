import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Place } from './lib.js';

let place: Place;
const detached: string[] = [];
beforeEach(() => {
  place = new Place();
});
afterEach(async () => {
  for (const run of detached.splice(0)) if (existsSync(join(place.state, 'runs', run))) await place.run(['attach', run]);
  await place.remove();
});

/** A drill on its own, by its id. */
async function detach(...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await place.run(place.drill('--detach', ...more));
  expect(code, stderr).toBe(0);
  detached.push(stdout.trim());
  return stdout.trim();
}

describe('muster note', () => {
  it('is written down by the running drill, which goes on and fails for it', async () => {
    const started = place.start(place.drill('--json', '--set', 'verify=4'));
    const first = await started.event((event) => event.type === 'run.started');
    const run = first.type === 'run.started' ? first.data.run : '';
    await started.event((event) => event.type === 'step.started' && event.step === 'verify');
    const { code, stderr } = await place.run(['note', run, '--manual', 'restarted the pooler', '--who', 'ann']);
    expect(stderr).toContain('Noted');
    expect(code).toBe(0);
    await started.event((event) => event.type === 'note.manual' && event.data.text === 'restarted the pooler');
    expect((await started.ended).code).toBe(1);
    const { reasons, steps } = place.drillOf(run);
    expect(reasons).toEqual([{ code: 'undocumented-change', detail: 'ann says: restarted the pooler' }]);
    expect(steps.every(({ status }) => status === 'succeeded')).toBe(true);
  });

  it('is refused for a run whose process is gone, and says what to do', async () => {
    const started = place.start(place.drill('--json', '--set', 'inject=60'));
    const first = await started.event((event) => event.type === 'run.started');
    const run = first.type === 'run.started' ? first.data.run : '';
    started.child.kill('SIGKILL');
    await started.ended;
    const { code, stderr } = await place.run(['note', run, '--manual', 'x']);
    expect(stderr).toContain(`muster resume ${run}`);
    expect(code).toBe(3);
    expect((await place.run(['cleanup', run])).code).toBe(0);
    expect((await place.run(['note', run, '--manual', 'x'])).code).toBe(2);
  });
});

describe('a detached drill', () => {
  it('goes on without its terminal; who attaches is recorded, and may leave without ending it', async () => {
    const run = await detach('--set', 'verify=6');
    expect((await place.run(['ps'])).stdout).toMatch(new RegExp(`^${run} +running`));
    const first = place.terminal(['attach', run, '--who', 'ann']);
    await first.shows('verify');
    first.type('\u0003');
    const left = await first.ended;
    expect(left.screen).toContain(`Detached; run ${run} goes on`);
    expect(left.code).toBe(0);
    expect((await place.run(['ps'])).stdout).toMatch(new RegExp(`^${run} +running`));

    const { code, stdout, stderr } = await place.run(['attach', run, '--who', 'bob']);
    expect(stderr).toMatch(/prepare +ok/);
    expect(stdout).toContain('PASSED');
    expect(code).toBe(0);
    expect(place.verdict(run)).toBe('passed');
    expect(place.events(run).flatMap((event) => (event.type === 'operator.attached' ? [event.data.who] : []))).toEqual(['ann', 'bob']);
  });

  it('that cannot begin says why, with its exit code', async () => {
    writeFileSync(join(place.cwd, 'file'), '');
    const { code, stdout, stderr } = await place.run(place.drill('--detach', '--evidence-dir', 'file/evidence'));
    expect(stderr).toContain('cannot write the evidence');
    expect(stdout).toBe('');
    expect(code).toBe(3);
    expect(place.runs()).toEqual([]);
  });

  it('asks nobody when a step fails, and attach ends with its verdict', async () => {
    const run = await detach('--set', 'exit=7', '--set', 'inject=6');
    const { code, stdout } = await place.run(['attach', run]);
    expect(stdout).toContain('FAILED');
    expect(code).toBe(1);
  });
});
