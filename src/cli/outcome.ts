import { readFile, rm } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import { called } from '../engine/called.js';
import { parseJournal } from '../engine/journal.js';
import { createStyle, wantsColour } from '../report/style.js';
import { summary } from '../report/terminal-summary.js';
import { visible } from '../report/visible.js';
import type { Conducted } from './conduct.js';
import { exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';
import { sealedCode, sealLines } from './seal-lines.js';
import type { RunPaths } from './state.js';
import { storedLines } from './store-lines.js';

/** Says how a drill went and gives the exit code; the run's state goes unless something still needs it. */
export async function report(conducted: Conducted, paths: RunPaths, json: boolean, io: CommandIo): Promise<number> {
  const { result, finished, kept } = conducted;
  if (finished === null) {
    const { reportFailure } = await import('./failure.js');
    const code = await reportFailure(result.refused, io);
    return (await leftBehind(conducted, paths, io)) ? exitCodes.residue : code;
  }
  const { drill, bundle, closes } = finished;
  const stream = json ? process.stderr : process.stdout;
  const text = summary(drill, { bundle: bundle === null ? null : shown(bundle, io.cwd), closes }, createStyle(wantsColour(stream.isTTY, io.env)));
  if (json) io.stderr(text);
  else io.stdout(text);
  if (drill.changes.allowed > 0) io.stderr(await letThrough(paths));
  if (bundle !== null) io.stderr(sealLines(finished.seal, shown(bundle, io.cwd), createStyle(wantsColour(process.stderr.isTTY, io.env))));
  if (finished.stored !== null && bundle !== null) io.stderr(storedLines(finished.stored, shown(bundle, io.cwd), createStyle(wantsColour(process.stderr.isTTY, io.env))));
  const code = sealedCode(finished);
  if (kept !== null) {
    io.stderr(`\nKept (--keep), until ${kept.until}:\n${kept.things.map(({ system, object }) => `  ${visible(system)}  ${visible(object)}\n`).join('')}Remove it with: ${called} cleanup ${paths.id}\n`);
    return tellLeft(conducted, paths, io) ? exitCodes.residue : code;
  }
  if (bundle === null) {
    io.stderr(`The journal of this run is kept: ${paths.journal}\n`);
    return tellLeft(conducted, paths, io) ? exitCodes.residue : code;
  }
  return (await leftBehind(conducted, paths, io)) ? exitCodes.residue : code;
}

/** What the profiles of the environment let through: nobody should have to open the bundle to see that. */
async function letThrough(paths: RunPaths): Promise<string> {
  const lines = new Set<string>();
  for (const event of parseJournal(await readFile(paths.journal, 'utf8')).events) {
    if (event.type !== 'watch.observed' || event.data.allowedBy === null) continue;
    const { object, change, actor, allowedBy } = event.data;
    lines.add(`  ${visible(`${object}: ${change}${actor === null ? '' : ` by ${actor}`} (${allowedBy})`)}\n`);
  }
  return `\nProfiles of the environment let through:\n${[...lines].join('')}`;
}

/** Says what could not be cleaned up; else the run's state goes. */
async function leftBehind(conducted: Conducted, paths: RunPaths, io: CommandIo): Promise<boolean> {
  if (tellLeft(conducted, paths, io)) return true;
  await rm(paths.dir, { recursive: true, force: true });
  return false;
}

function tellLeft({ result, left }: Pick<Conducted, 'result' | 'left'>, paths: RunPaths, io: CommandIo): boolean {
  const failures = result.cleanupFailures;
  if (failures.length > 0) io.stderr(`\nThese cleanups failed:\n${failures.map(({ uses, error }) => `  ${uses}: ${visible(error)}\n`).join('')}`);
  if (left.length > 0) io.stderr(`\nLeft behind:\n${left.map(({ system, object, remedy }) => `  ${system}  ${visible(object)}  (${remedy})\n`).join('')}`);
  if (failures.length === 0 && left.length === 0) return false;
  io.stderr(`Mend what stops the cleanup, then: ${called} cleanup ${paths.id}\n`);
  return true;
}

function shown(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}
