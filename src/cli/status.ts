import { readdir, stat } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { DocumentError, UsageError, type Diagnostic } from '../engine/errors.js';
import { parseDuration } from '../engine/duration.js';
import { loadDocument, type LoadedDocument } from '../engine/load.js';
import { toolVersion } from '../engine/package-root.js';
import { verifyBundle } from '../evidence/verify.js';
import { dueOf, isOverdue, type CurrentRunbook, type Due } from '../report/history/due.js';
import { statusText } from '../report/history/status-text.js';
import type { BundleSummary, History } from '../report/history/types.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import { parseTime, readEvidence } from './evidence-dir.js';
import type { CommandIo } from './io.js';

export interface StatusArgs {
  /** Runbooks, or folders of them. */
  readonly runbooks: readonly string[];
  readonly evidenceDir: string;
  readonly asOf?: string | undefined;
  readonly grace?: string | undefined;
  readonly format: string;
}

/**
 * `muster status`: which runbooks are due, overdue, never run, or changed since their last pass. 1: one is overdue or
 * never passed. Throws UsageError; DocumentError for runbooks that cannot be read, once the others are shown.
 */
export async function status(args: StatusArgs, io: CommandIo): Promise<number> {
  const now = args.asOf === undefined ? new Date() : parseTime(args.asOf, '--as-of');
  const graceDays = args.grace === undefined ? null : days(args.grace);
  const { runbooks, wrong } = await currentRunbooks(args.runbooks.length === 0 ? ['runbooks'] : args.runbooks, io);
  const history = (await stat(resolve(io.cwd, args.evidenceDir)).catch(() => undefined)) === undefined ? { root: '', bundles: [], unreadable: [] } : await readEvidence(args.evidenceDir, io);
  const all: Due[] = [];
  for (const runbook of runbooks) {
    const drills = history.bundles.filter((bundle) => bundle.runbook.name === runbook.name && bundle.startedAt !== null && Date.parse(bundle.startedAt) <= now.getTime());
    all.push(dueOf({ runbook, drills, lastPass: await lastSoundPass(drills, history, io), tool: toolVersion(), now, graceDays }));
  }
  all.sort((a, b) => rank(a) - rank(b) || (a.runbook.name < b.runbook.name ? -1 : 1));
  if (args.format === 'json') io.stdout(`${JSON.stringify({ schema: 'muster/status/v1', asOf: now.toISOString(), runbooks: all.map(plain) }, null, 2)}\n`);
  else io.stdout(statusText(all, now, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  for (const { folder, why } of history.unreadable) io.stderr(`${visible(`${folder}: left out: ${why}`)}\n`);
  if (wrong.length > 0) throw new DocumentError(wrong);
  return all.some(isOverdue) ? 1 : 0;
}

const order = ['overdue', 'never-passed', 'never-run', 'due', 'current', 'no-cadence'] as const;
const rank = ({ state }: Due) => order.indexOf(state);
const plain = (due: Due) => ({ ...due, runbook: { ...due.runbook, environments: Object.fromEntries(due.runbook.environments) }, overdue: isOverdue(due) });

function days(text: string): number {
  try {
    return parseDuration(text) / 86_400_000;
  } catch (error) {
    throw new UsageError(`--grace: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A bundle that does not verify is no pass, whatever it says. */
async function lastSoundPass(drills: readonly BundleSummary[], { root }: History, io: CommandIo): Promise<BundleSummary | null> {
  for (const drill of drills.toReversed()) {
    if (drill.verdict !== 'passed') continue;
    const { defects, drill: derived } = await verifyBundle(join(root, drill.folder));
    if (defects.length === 0 && derived?.verdict === 'passed') return drill;
    io.stderr(`${visible(drill.folder)} does not verify, so it is no pass: \`muster verify\` names why.\n`);
  }
  return null;
}

async function currentRunbooks(paths: readonly string[], io: CommandIo): Promise<{ runbooks: CurrentRunbook[]; wrong: Diagnostic[] }> {
  const wrong: Diagnostic[] = [];
  const load = async (file: string): Promise<LoadedDocument | undefined> => {
    try {
      return await loadDocument(relative(io.cwd, file), io.cwd);
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      wrong.push(...error.diagnostics);
      return undefined;
    }
  };
  const environments = new Map<string, Map<string, string>>();
  const runbooks: CurrentRunbook[] = [];
  for (const path of paths) {
    const files = await yamlFiles(resolve(io.cwd, path), path);
    for (const file of files) {
      const document = await load(file);
      if (document?.kind !== 'Runbook') continue;
      const beside = join(dirname(file), 'environments');
      let known = environments.get(beside);
      if (known === undefined) {
        known = new Map();
        for (const each of await yamlFiles(beside, beside).catch(() => [])) {
          const environment = await load(each);
          if (environment?.kind === 'Environment') known.set(environment.document.metadata.name, environment.sha256);
        }
        environments.set(beside, known);
      }
      const { name, version, title, owner, cadence } = document.document.metadata;
      runbooks.push({ path: document.path, name, version, title, owner, cadence: cadence ?? null, sha256: document.sha256, environments: known });
    }
  }
  if (runbooks.length === 0 && wrong.length === 0) throw new UsageError(`there is no runbook in ${paths.map((path) => visible(path)).join(', ')}`);
  return { runbooks, wrong };
}

/** The file itself, or the YAML files in the folder. Throws UsageError when there is neither. */
async function yamlFiles(path: string, shown: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`there is no file or folder ${visible(shown)}; name runbooks, or folders of them`);
  if (!found.isDirectory()) return [path];
  return (await readdir(path)).filter((name) => ['.yaml', '.yml'].includes(extname(name))).toSorted().map((name) => join(path, name));
}
