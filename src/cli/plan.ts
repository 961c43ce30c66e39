import { dirname, relative, resolve } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { UsageError, messageOf } from '../engine/errors.js';
import type { CommandIo } from './io.js';
import { observe } from './observe.js';
import { prepareDrill } from './prepare.js';

export interface PlanOptions {
  readonly runbook: string;
  readonly environment: string;
  readonly set: readonly string[];
  readonly out: string | undefined;
  readonly format: 'text' | 'markdown' | 'json';
  /** Where earlier bundles are, which say how long steps took. */
  readonly evidenceDir: string;
}

/** `muster plan`: starts nothing and writes nothing but `--out`. 0 whatever preflight finds: `muster run` refuses then. */
export async function plan(options: PlanOptions, io: CommandIo): Promise<number> {
  const prepared = await prepareDrill(options, io);
  const seen = await observe(prepared, options, io);
  const folder = options.out === undefined ? io.cwd : dirname(resolve(io.cwd, options.out));
  const from = (path: string) => relative(folder, resolve(io.cwd, path));
  const plan = { ...seen, observed: { ...prepared.secrets.prose(seen.observed), documents: { runbook: from(options.runbook), environment: from(options.environment) } } };
  const json = `${JSON.stringify(plan, null, 2)}\n`;
  if (options.out !== undefined) {
    const path = resolve(io.cwd, options.out);
    try {
      await writeFile(path, json, { flag: 'wx' });
    } catch (error) {
      throw new UsageError(`--out: cannot write ${options.out}: ${messageOf(error)}`);
    }
    io.stderr(`plan saved: ${options.out} (digest ${plan.digest})\n`);
  }
  if (options.format === 'json') io.stdout(json);
  else if (options.format === 'markdown') io.stdout((await import('../report/plan-markdown.js')).planMarkdown(plan));
  else {
    const { createStyle, wantsColour } = await import('../report/style.js');
    io.stdout((await import('../report/plan-text.js')).planText(plan, createStyle(wantsColour(process.stdout.isTTY, io.env)), process.stdout.columns ?? 100));
  }
  return 0;
}
