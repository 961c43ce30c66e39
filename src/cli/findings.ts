import { access } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { UsageError } from '../engine/errors.js';
import { loadFindings } from '../engine/load/record.js';
import { readAcceptances, writeAcceptance } from '../evidence/history/acceptance.js';
import { openSigner } from '../evidence/signer.js';
import { verifyBundle } from '../evidence/verify.js';
import { findingsJson, findingsMarkdown, findingsText } from '../report/history/findings-text.js';
import { findingId, findingsOf, type FindingsList } from '../report/history/findings.js';
import type { BundleSummary, History } from '../report/history/types.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import { parseTime, readEvidence, readSigners } from './evidence-dir.js';
import type { CommandIo } from './io.js';

export interface FindingsArgs {
  /** findings.yaml; need not be there. */
  readonly file: string;
  readonly all: boolean;
  readonly evidenceDir: string;
  readonly allowedSigners?: string | undefined;
  readonly asOf?: string | undefined;
  readonly format: string;
  readonly accept?: string | undefined;
  readonly until?: string | undefined;
  readonly because?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * `muster findings`: what drills found and nobody has closed. 0, also when some are open; 1: one is overdue, a claim does not
 * hold, or the bundle of one is gone. Throws UsageError; DocumentError for a wrong findings.yaml.
 */
export async function findings(args: FindingsArgs, io: CommandIo): Promise<number> {
  const now = args.asOf === undefined ? new Date() : parseTime(args.asOf, '--as-of');
  const { history, digests } = await found(args, now, io);
  if (args.accept !== undefined) return accept(args.accept, args, history, digests, io);
  const list = await decided(args, now, io);
  const shown = args.all ? list.findings : list.findings.filter(({ state, problems }) => state === 'open' || problems.length > 0);
  if (args.format === 'json') io.stdout(findingsJson(list));
  else io.stdout(args.format === 'markdown' ? findingsMarkdown(list, shown) : findingsText(list, shown, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  for (const { folder, why } of history.unreadable) io.stderr(`${visible(`${folder}: left out: ${why}`)}\n`);
  return list.orphans.length + history.unreadable.length > 0 || list.findings.some(({ overdue, problems }) => overdue || problems.length > 0) ? 1 : 0;
}

type Where = Pick<FindingsArgs, 'file' | 'evidenceDir' | 'allowedSigners'>;

/** The drills up to a moment, and which bundle each of their findings comes from. */
async function found({ evidenceDir }: Where, now: Date, io: CommandIo): Promise<{ history: History; digests: Map<string, string> }> {
  const all = await readEvidence(evidenceDir, io);
  const history: History = { ...all, bundles: all.bundles.filter(({ startedAt }) => startedAt === null || Date.parse(startedAt) <= now.getTime()) };
  return { history, digests: new Map(history.bundles.flatMap((bundle) => bundle.reasons.map(({ code, step }) => [findingId(bundle.sha256, code, step ?? null), bundle.sha256] as const))) };
}

/** Every finding, and what was decided about it. Throws UsageError; DocumentError for a wrong findings.yaml. */
export async function decided(args: Where, now: Date, io: CommandIo): Promise<FindingsList> {
  const { history, digests } = await found(args, now, io);
  const file = resolve(io.cwd, args.file);
  const kept = (await access(file).then(() => true, () => false)) ? (await loadFindings(args.file, io.cwd)).findings : [];
  const signers = await readSigners(args.allowedSigners, io);
  const verified = new Map<string, boolean>();
  const sound = async (bundle: BundleSummary): Promise<boolean> => {
    let known = verified.get(bundle.folder);
    if (known === undefined) {
      const { defects, drill } = await verifyBundle(join(history.root, bundle.folder));
      known = defects.length === 0 && drill?.verdict === 'passed';
      verified.set(bundle.folder, known);
    }
    return known;
  };
  return findingsOf({ bundles: history.bundles, kept, acceptances: await readAcceptances(history.root, digests, signers, now), sound, now });
}

async function accept(id: string, { until, because, key }: FindingsArgs, { root }: History, digests: ReadonlyMap<string, string>, io: CommandIo): Promise<number> {
  if (until === undefined || because === undefined || because.trim() === '' || key === undefined) throw new UsageError('--accept needs --until DAY, --because TEXT and --key FILE');
  if (!/^\d{4}-\d\d-\d\d$/.test(until)) throw new UsageError(`--until: expected a day such as 2027-03-31, found ${JSON.stringify(until)}`);
  parseTime(until, '--until');
  const bundle = digests.get(id);
  if (bundle === undefined) throw new UsageError(`there is no finding ${visible(id)}; \`muster findings --all\` lists them`);
  const written = await writeAcceptance(root, { finding: id, bundle, until, because }, await openSigner(resolve(io.cwd, key), io.env['SSH_AUTH_SOCK']));
  io.stderr(`Accepted until ${until}: ${relative(io.cwd, written)}, signed in ${relative(io.cwd, written)}.sig. It holds for those whose allowed signers name this key.\n`);
  return 0;
}
