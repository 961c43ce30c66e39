import { expect, it } from 'vitest';
import { reportHtml } from '../../src/report/html.js';
import { reportModel } from '../../src/report/model.js';
import { inputOf } from './lib/drills.js';

it('a long phase is drawn with what failed, took longest or waited for people; the rest stands in a table, and none is left out', () => {
  const input = inputOf({ extraSteps: 500 });
  const prepare = reportModel(input).gantt.groups.find(({ phase }) => phase === 'prepare');
  expect(prepare?.rows.map(({ id }) => id)).toEqual(expect.arrayContaining(['seed', 'backup']));
  expect(prepare?.rows.length).toBeLessThan(80);
  expect([...(prepare?.rows ?? []), ...(prepare?.others ?? [])]).toHaveLength(502);
  const html = reportHtml(input);
  for (const step of input.drill.steps) expect(html).toContain(`<th scope="row">${step.id}<`);
  expect(html).toContain(`${prepare?.others.length} more steps of prepare`);
  const failed = { ...input, drill: { ...input.drill, steps: input.drill.steps.map((step) => (step.id === 'extra-7' ? { ...step, status: 'failed' as const, error: 'it broke' } : step)) } };
  expect(reportModel(failed).gantt.groups.find(({ phase }) => phase === 'prepare')?.rows.find(({ id }) => id === 'extra-7')).toMatchObject({ tone: 'bad', notes: ['it broke'] });
  expect(reportModel(inputOf()).gantt.groups.every(({ others }) => others.length === 0)).toBe(true);
});
