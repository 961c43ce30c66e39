import { Type } from 'typebox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defineStep } from '../../../src/engine/define-step.js';
import { one } from '../../../src/steps/postgres/lib/session.js';
import { sideBySide } from '../../../src/steps/postgres/lib/side-by-side.js';
import { postgresRig, type Rig } from './rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await postgresRig();
  await rig.here.provision('source', 'embedded-postgres', 'source');
});
afterAll(() => rig.close());

it('makes all checks again, one after the other, when one of them took the session of another along', async () => {
  const order: string[] = [];
  let found: (pid: number) => void = () => {};
  let victim: Promise<number> | undefined = new Promise((resolve) => (found = resolve));
  const step = defineStep({
    type: 'test.checks',
    summary: 'Ends the session of its other list, once.',
    input: Type.Object({}),
    output: Type.Object({ killer: Type.String(), victim: Type.String() }),
    effect: 'read',
    changes: () => [],
    permissions: () => [],
    evidence: [],
    examples: [],
    plan: () => ({ does: '', calls: [] }),
    run: (_, ctx) =>
      sideBySide(ctx, 'source', (session) => ({
        killer: async () => {
          const other = await victim;
          victim = undefined;
          await session('killer', 'read', async (open) => {
            if (other !== undefined) await open.query('SELECT pg_terminate_backend($1, 10000)', [other]);
          });
          order.push('killer');
          return 'done';
        },
        victim: () =>
          session('victim', 'read', async (open) => {
            const { pid } = await one<{ pid: number }>(open, 'SELECT pg_backend_pid() AS pid');
            found(pid);
            if (!order.includes('killer')) await open.query('SELECT pg_sleep(3600)');
            order.push('victim');
            return 'done';
          }),
      })),
  });
  expect(await rig.step(step, {})).toEqual({ killer: 'done', victim: 'done' });
  expect(order).toEqual(['killer', 'killer', 'victim']);
  expect(rig.logs).toContain('a session was lost: the checks are made again, one after the other');
});
