import { verifyBundle } from '../evidence/verify.js';
import { compareDrills } from '../report/compare/model.js';
import { comparisonMarkdown, comparisonText } from '../report/compare/render.js';
import type { ReportInput } from '../report/model.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';
import type { CommandIo } from './io.js';

export interface CompareArgs {
  readonly before: string;
  readonly after: string;
  readonly format: string;
}

/** `muster compare A B`: what made recovery slower or faster, and what changed between. 1: one of them does not verify. Throws UsageError. */
export async function compare(args: CompareArgs, io: CommandIo): Promise<number> {
  const inputs: ReportInput[] = [];
  for (const path of [args.before, args.after]) {
    const input = await read(path, io);
    if (input === undefined) return 1;
    inputs.push(input);
  }
  const [before, after] = inputs;
  if (before === undefined || after === undefined) return 1;
  const comparison = compareDrills(before, after);
  if (args.format === 'json') io.stdout(`${JSON.stringify({ schema: 'muster/comparison/v1', ...comparison }, null, 2)}\n`);
  else io.stdout(args.format === 'markdown' ? comparisonMarkdown(comparison) : comparisonText(comparison, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  return 0;
}

/** Undefined, and said why, when the bundle does not verify: nothing is told from it. */
async function read(path: string, io: CommandIo): Promise<ReportInput | undefined> {
  const { input } = await verifyBundle(await bundlePath(path, io.cwd));
  if (input === undefined) io.stderr(`${visible(path)} is not sound, so nothing is compared with it. \`muster verify\` names why.\n`);
  return input;
}
