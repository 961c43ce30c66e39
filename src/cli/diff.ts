import { comparePlans } from '../engine/plan/compare.js';
import type { CommandIo } from './io.js';
import { readPlan } from './plan-file.js';

export interface DiffOptions {
  readonly before: string;
  readonly after: string;
  readonly format: 'text' | 'markdown' | 'json';
}

/** `muster diff`: 0 when both plans say the same, 1 when they differ. */
export async function diff(options: DiffOptions, io: CommandIo): Promise<number> {
  const [before, after] = await Promise.all([readPlan(options.before, io), readPlan(options.after, io)]);
  const differences = comparePlans(before.binding, after.binding);
  if (options.format === 'json') io.stdout(`${JSON.stringify({ before: before.digest, after: after.digest, differences }, null, 2)}\n`);
  else {
    const { diffMarkdown, diffText } = await import('../report/plan-diff.js');
    const { createStyle, wantsColour } = await import('../report/style.js');
    io.stdout(options.format === 'markdown' ? diffMarkdown(before, after, differences) : diffText(before, after, differences, createStyle(wantsColour(process.stdout.isTTY, io.env)), process.stdout.columns ?? 100));
  }
  return differences.length === 0 ? 0 : 1;
}
