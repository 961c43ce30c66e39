import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { formatDuration } from '../engine/duration.js';
import type { Drill } from '../engine/drill.js';
import { UsageError } from '../engine/errors.js';
import { verifyBundle, type Verification } from '../evidence/verify.js';
import { visible } from '../report/visible.js';
import type { CommandIo } from './io.js';

export interface VerifyArgs {
  /** A bundle, or a folder of bundles. */
  readonly path: string;
  readonly allowedSigners?: string | undefined;
}

/** `muster verify BUNDLE|DIR`. 0: sound; 1: any defect. It is about the bundle: that of a failed drill can be sound. Throws UsageError. */
export async function verify(args: VerifyArgs, io: CommandIo): Promise<number> {
  const bundles = await findBundles(resolve(io.cwd, args.path), args.path);
  let unsound = 0;
  for (const bundle of bundles) {
    const verification = await verifyBundle(bundle, args.allowedSigners === undefined ? {} : { allowedSigners: resolve(io.cwd, args.allowedSigners) });
    if (verification.defects.length > 0) unsound += 1;
    io.stdout(described(shownPath(bundle, io.cwd), verification));
  }
  if (bundles.length > 1) io.stdout(`${bundles.length - unsound} of ${bundles.length} bundles are sound.\n`);
  return unsound === 0 ? 0 : 1;
}

function shownPath(bundle: string, cwd: string): string {
  const path = relative(cwd, bundle);
  return path === '' ? basename(bundle) : path.startsWith('..') ? bundle : path;
}

/** The bundle itself, or the bundles in the folder. Throws UsageError when there is none. */
async function findBundles(path: string, shown: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`there is no ${visible(shown)}`);
  if (!found.isDirectory()) throw new UsageError(`${visible(shown)} is not a folder; name a bundle, or a folder of bundles`);
  if (await isBundle(path)) return [path];
  const bundles: string[] = [];
  for (const name of (await readdir(path)).toSorted()) {
    // A partial bundle starts with a dot: its run is not over, or died.
    if (name.startsWith('.')) continue;
    const folder = join(path, name);
    if ((await lstat(folder).catch(() => undefined))?.isDirectory() === true && (await isBundle(folder))) bundles.push(folder);
  }
  if (bundles.length === 0) throw new UsageError(`${visible(shown)} holds no bundle of evidence; name a bundle, or a folder of bundles`);
  return bundles;
}

/** Also one from which files were taken away. */
async function isBundle(folder: string): Promise<boolean> {
  const names = new Set(await readdir(folder));
  return ['bagit.txt', 'bag-info.txt', 'manifest-sha256.txt', 'tagmanifest-sha256.txt'].some((name) => names.has(name)) || (names.has('data') && names.has('README.txt'));
}

const maxDefects = 50;

/** Everything from the bundle is made visible before it reaches a terminal. */
function described(name: string, { defects, notes, checked, drill }: Verification): string {
  const lines = [`${visible(name)}: ${defects.length === 0 ? 'sound' : `NOT SOUND, ${defects.length} ${defects.length === 1 ? 'defect' : 'defects'}`}`];
  for (const defect of defects.slice(0, maxDefects)) lines.push(`  ${defect.code}: ${defect.file === undefined ? '' : `${defect.file}: `}${defect.detail}`);
  if (defects.length > maxDefects) lines.push(`  and ${defects.length - maxDefects} more`);
  if (drill !== undefined) lines.push(...drillLines(drill, defects.length === 0));
  lines.push('  checked', ...checked.map((line) => `    - ${line}`));
  const notProved = [...notes, ...(drill?.notProved ?? [])];
  if (notProved.length > 0) lines.push('  not proved', ...notProved.map((line) => `    - ${line}`));
  return lines.map((line) => `${visible(line)}\n`).join('');
}

function drillLines(drill: Drill, sound: boolean): string[] {
  const figure = (ms: number | null, target: number | null) => `${ms === null ? 'not measured' : formatDuration(ms)}${target === null ? '' : ` (target ${formatDuration(target)})`}`;
  return [
    `  drill: ${drill.verdict}${sound ? '' : ', as far as an unsound bundle can say'}: ${drill.title}`,
    ...drill.reasons.map((reason) => `    ${reason.code}${reason.step === undefined ? '' : ` at ${reason.step}`}: ${reason.detail}`),
    `    RTO ${figure(drill.rto.upperMs ?? drill.rto.valueMs, drill.rto.objectiveMs)}, RPO ${figure(drill.rpo.valueMs, drill.rpo.objectiveMs)}`,
  ];
}
