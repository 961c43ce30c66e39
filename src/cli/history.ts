import { UsageError } from '../engine/errors.js';
import { historyPrometheus } from '../report/history/prometheus.js';
import { historyCsv, historyJson } from '../report/history/table.js';
import { historyText } from '../report/history/text.js';
import type { History } from '../report/history/types.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import { readEvidence } from './evidence-dir.js';
import type { CommandIo } from './io.js';

export interface HistoryArgs {
  readonly runbook?: string | undefined;
  readonly evidenceDir: string;
  readonly format: string;
}

/** `muster history`: past drills with their verdicts, RTO and RPO. 0, also when drills failed; 1: a bundle could not be read. Throws UsageError. */
export async function history(args: HistoryArgs, io: CommandIo): Promise<number> {
  const { bundles, unreadable } = await readEvidence(args.evidenceDir, io);
  const shown = { bundles: args.runbook === undefined ? bundles : bundles.filter(({ runbook }) => runbook.name === args.runbook), unreadable };
  if (args.runbook !== undefined && shown.bundles.length === 0) {
    const names = [...new Set(bundles.map(({ runbook }) => runbook.name))].toSorted();
    throw new UsageError(`there is no drill of a runbook ${visible(args.runbook)}; ${names.length === 0 ? 'there are no drills' : `there are drills of ${names.map((name) => visible(name)).join(', ')}`}`);
  }
  const format = Object.hasOwn(formats, args.format) ? formats[args.format] : undefined;
  if (format === undefined) throw new UsageError(`there is no format ${visible(args.format)}; expected one of ${Object.keys(formats).join(', ')}`);
  io.stdout(format(shown, io));
  if (args.format !== 'text') for (const { folder, why } of unreadable) io.stderr(`${visible(`${folder}: left out: ${why}`)}\n`);
  return unreadable.length === 0 ? 0 : 1;
}

const formats: Readonly<Record<string, (history: Pick<History, 'bundles' | 'unreadable'>, io: CommandIo) => string>> = {
  text: (shown, io) => historyText(shown, createStyle(wantsColour(process.stdout.isTTY, io.env))),
  csv: historyCsv,
  json: historyJson,
  prometheus: historyPrometheus,
};
