import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { loadRunbook } from '../engine/load.js';
import { openBundle } from '../evidence/bag.js';
import type { Sealer } from '../evidence/seal.js';
import { createStyle, wantsColour } from '../report/style.js';
import { summary } from '../report/terminal-summary.js';
import { exitCodes } from './exit-codes.js';
import { finishRun } from './finish.js';
import { endInterrupted, forget, type EndedRun } from './interrupted.js';
import type { CommandIo } from './io.js';
import { sealedCode, sealLines } from './seal-lines.js';
import { sealerOf } from './sealer.js';

/**
 * `muster resume` and `muster cleanup`: the steps of a run whose process died are not continued, since nobody measured
 * the time between. What it made is removed, and the bundle is written from what its journal holds.
 */
export async function resume(name: string, io: CommandIo): Promise<number> {
  io.stderr('The steps are not continued: nobody measured the time since the process died. Ending the run.\n');
  const sealer = await sealerOf({}, io);
  return end(await endInterrupted(name, io), sealer, io, (code) => code);
}

/** As `resume`, but the exit code tells only whether everything was removed. */
export async function cleanup(name: string, io: CommandIo): Promise<number> {
  const sealer = await sealerOf({}, io);
  return end(await endInterrupted(name, io), sealer, io, () => exitCodes.passed);
}

async function end(ended: EndedRun, sealer: Sealer | undefined, io: CommandIo, codeOf: (verdict: number) => number): Promise<number> {
  const { paths, meta, failures } = ended;
  const verdict = await conclude(ended, sealer, io);
  if (failures.length > 0) {
    io.stderr(`These cleanups failed:\n${failures.map(({ uses, error }) => `  ${uses}: ${error}\n`).join('')}Mend what stops them and try again: npx muster cleanup ${paths.id}\n`);
    return exitCodes.residue;
  }
  await forget(paths, meta);
  io.stderr(`Run ${paths.id}: everything that it registered has been cleaned up.\n`);
  return verdict === exitCodes.residue ? verdict : codeOf(verdict);
}

/** Writes the bundle that the run could not write any more; gives the exit code of its verdict. */
async function conclude({ paths, meta, plan, journal, begun }: EndedRun, sealer: Sealer | undefined, io: CommandIo): Promise<number> {
  const bundlePath = join(meta.evidenceDir, paths.id);
  const there = await access(bundlePath).then(() => true, () => false);
  if (!begun || there) return exitCodes.passed;
  const { document } = await loadRunbook(paths.runbook);
  const bundle = await openBundle(meta.evidenceDir, paths.id);
  const finished = await finishRun({ paths, plan, runbook: document, bundle, journal, sealer });
  io.stdout(summary(finished.drill, { bundle: finished.bundle }, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  if (finished.bundle !== null) io.stderr(sealLines(finished.seal, finished.bundle, createStyle(wantsColour(process.stderr.isTTY, io.env))));
  return sealedCode(finished);
}
