import { resolve } from 'node:path';
import { UsageError } from '../engine/errors.js';
import { historyPrometheus } from '../report/history/prometheus.js';
import { historyCsv, historyJson } from '../report/history/table.js';
import { historyText, undeliveredText } from '../report/history/text.js';
import { readUndelivered } from '../evidence/history/deliveries.js';
import { StoreError } from '../evidence/store/port.js';
import { openRegistrations } from '../evidence/store/registrations.js';
import type { History, Undelivered, WithoutBundle } from '../report/history/types.js';
import { withoutBundle, withoutBundleText } from '../report/history/without-bundle.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import { readEvidence } from './evidence-dir.js';
import { openStore } from './evidence-store.js';
import type { CommandIo } from './io.js';

export interface HistoryArgs {
  readonly runbook?: string | undefined;
  readonly evidenceDir: string;
  readonly format: string;
  /** An evidence store to ask: a folder or s3://bucket/prefix. */
  readonly store?: string | undefined;
}

/** `muster history`: past drills with their verdicts, RTO and RPO. 0, also when drills failed; 1: a bundle could not be read. Throws UsageError. */
export async function history(args: HistoryArgs, io: CommandIo): Promise<number> {
  const { bundles, unreadable } = await readEvidence(args.evidenceDir, io).catch((error: unknown) => withoutFolder(error, args, io));
  const shown = { bundles: args.runbook === undefined ? bundles : bundles.filter(({ runbook }) => runbook.name === args.runbook), unreadable };
  if (args.runbook !== undefined && shown.bundles.length === 0) {
    const names = [...new Set(bundles.map(({ runbook }) => runbook.name))].toSorted();
    throw new UsageError(`there is no drill of a runbook ${visible(args.runbook)}; ${names.length === 0 ? 'there are no drills' : `there are drills of ${names.map((name) => visible(name)).join(', ')}`}`);
  }
  const format = Object.hasOwn(formats, args.format) ? formats[args.format] : undefined;
  if (format === undefined) throw new UsageError(`there is no format ${visible(args.format)}; expected one of ${Object.keys(formats).join(', ')}`);
  // Of all runbooks: a run without a bundle may have been any.
  const without = withoutBundle(bundles, args.store === undefined ? [] : [await askStore(args.store, io)]);
  const undelivered = (await readUndelivered(resolve(io.cwd, args.evidenceDir))).filter(({ run }) => args.runbook === undefined || shown.bundles.some((bundle) => bundle.run === run));
  io.stdout(format(shown, io, without, undelivered));
  if (args.format !== 'text' && args.format !== 'json') io.stderr(withoutBundleText(without, createStyle(false)));
  if (args.format !== 'text') for (const { folder, why } of unreadable) io.stderr(`${visible(`${folder}: left out: ${why}`)}\n`);
  return unreadable.length === 0 ? 0 : 1;
}

/** Where the whole folder vanished, the store still says what was in it. */
function withoutFolder(error: unknown, { store }: HistoryArgs, io: CommandIo): Pick<History, 'bundles' | 'unreadable'> {
  if (!(error instanceof UsageError) || store === undefined) throw error;
  io.stderr(`${error.message}\n`);
  return { bundles: [], unreadable: [] };
}

/** Throws UsageError when the store does not answer: no list may look complete that is not. */
async function askStore(where: string, io: CommandIo): Promise<WithoutBundle> {
  const store = await openStore(where, io.cwd, undefined, io);
  try {
    return { store: store.where, seenBy: null, open: await openRegistrations(store) };
  } catch (error) {
    throw error instanceof StoreError ? new UsageError(error.message, { cause: error }) : error;
  }
}

const formats: Readonly<Record<string, (history: Pick<History, 'bundles' | 'unreadable'>, io: CommandIo, without: readonly WithoutBundle[], undelivered: readonly Undelivered[]) => string>> = {
  text(shown, io, without, undelivered) {
    const style = createStyle(wantsColour(process.stdout.isTTY, io.env));
    return withoutBundleText(without, style) + historyText(shown, style) + undeliveredText(undelivered, style);
  },
  csv: historyCsv,
  json: (shown, _, without, undelivered) => historyJson(shown, without, undelivered),
  prometheus: historyPrometheus,
};
