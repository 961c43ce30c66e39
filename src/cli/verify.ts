import { lstat, readFile, readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { formatDuration } from '../engine/duration.js';
import type { Drill } from '../engine/drill.js';
import { UsageError, messageOf } from '../engine/errors.js';
import { openArchive } from '../evidence/archive-reader.js';
import { checkOrder } from '../evidence/order.js';
import { visible } from '../report/visible.js';
import { isBundle } from './bundle-path.js';
import type { CommandIo } from './io.js';
import { verifyMany, type Trust, type Verified } from './verify-many.js';

export interface VerifyArgs {
  /** A bundle, an archive of one, or a folder of both. */
  readonly path: string;
  readonly allowedSigners?: string | undefined;
  readonly timestampCa?: string | undefined;
}

/** `muster verify BUNDLE|DIR`. 0: sound; 1: any defect. It is about the bundle: that of a failed drill can be sound. Throws UsageError. */
export async function verify(args: VerifyArgs, io: CommandIo): Promise<number> {
  const { bundles, many } = await findBundles(resolve(io.cwd, args.path), args.path);
  const verifications = await verifyMany(bundles, await trustOf(args, io.cwd));
  let unsound = 0;
  const order = many ? checkOrder(verifications.flatMap(({ link }) => link ?? [])) : [];
  for (const [index, verification] of verifications.entries()) {
    const defects = [...verification.defects, ...order.filter(({ run }) => run === verification.link?.run).map(({ defect }) => defect)];
    if (defects.length > 0) unsound += 1;
    io.stdout(described(shownPath(bundles[index] ?? '', io.cwd), { ...verification, defects }, many));
  }
  if (many) io.stdout(folderLines(verifications, unsound));
  return unsound === 0 ? 0 : 1;
}

async function trustOf({ allowedSigners, timestampCa }: VerifyArgs, cwd: string): Promise<Trust> {
  const read = (file: string) =>
    readFile(resolve(cwd, file), 'utf8').catch((error: unknown) => {
      throw new UsageError(`cannot read ${visible(file)}: ${messageOf(error)}`);
    });
  if (timestampCa !== undefined) await read(timestampCa);
  return {
    allowedSigners: allowedSigners === undefined ? undefined : { file: allowedSigners, text: await read(allowedSigners) },
    timestampCa: timestampCa === undefined ? undefined : resolve(cwd, timestampCa),
  };
}

function shownPath(bundle: string, cwd: string): string {
  const path = relative(cwd, bundle);
  return path === '' ? basename(bundle) : path.startsWith('..') ? bundle : path;
}

interface Found {
  readonly bundles: readonly string[];
  /** A folder of bundles was named: their order counts too. */
  readonly many: boolean;
}

/** The bundle itself, or the bundles in the folder. Throws UsageError when there is none. */
async function findBundles(path: string, shown: string): Promise<Found> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new UsageError(`there is no ${visible(shown)}`);
  if (!found.isDirectory()) {
    if (found.isFile() && (await openArchive(path)) !== undefined) return { bundles: [path], many: false };
    throw new UsageError(`${visible(shown)} is neither a folder nor a .zip or .tar.gz; name a bundle, or a folder of bundles`);
  }
  if (await isBundle(path)) return { bundles: [path], many: false };
  const bundles: string[] = [];
  for (const name of (await readdir(path)).toSorted()) {
    // A partial bundle starts with a dot: its run is not over, or died.
    if (name.startsWith('.')) continue;
    const each = join(path, name);
    const kind = await lstat(each).catch(() => undefined);
    if (kind?.isDirectory() === true ? await isBundle(each) : kind?.isFile() === true && /\.(?:zip|tar\.gz|tgz)$/i.test(name)) bundles.push(each);
  }
  if (bundles.length === 0) throw new UsageError(`${visible(shown)} holds no bundle of evidence; name a bundle, or a folder of bundles`);
  return { bundles, many: true };
}

const maxDefects = 50;

/** Everything from the bundle is made visible before it reaches a terminal. Of many, what is true of several is said once, at the end. */
function described(name: string, { defects, seal, notes, checked, drill }: Verified, many: boolean): string {
  const sealed = seal === null ? 'UNSIGNED' : seal.principal === null ? `sealed with ${seal.fingerprint}, whose key that is was not checked` : `sealed by ${seal.principal}`;
  const lines = [`${visible(name)}: ${defects.length === 0 ? `sound, ${sealed}` : `NOT SOUND, ${defects.length} ${defects.length === 1 ? 'defect' : 'defects'}`}`];
  for (const defect of defects.slice(0, maxDefects)) lines.push(`  ${defect.code}: ${defect.file === undefined ? '' : `${defect.file}: `}${defect.detail}`);
  if (defects.length > maxDefects) lines.push(`  and ${defects.length - maxDefects} more`);
  if (drill !== undefined) lines.push(...drillLines(drill, defects.length === 0));
  if (many) return shown(lines);
  lines.push('  checked', ...checked.map((line) => `    - ${line}`));
  const notProved = [...notes, ...(drill?.notProved ?? [])];
  if (notProved.length > 0) lines.push('  not proved', ...notProved.map((line) => `    - ${line}`));
  return shown(lines);
}

const shown = (lines: readonly string[]) => lines.map((line) => `${visible(line)}\n`).join('');

/** Each line once, with the number of bundles that it is about where it is not about all. */
function counted(all: readonly (readonly string[])[]): string[] {
  const counts = new Map<string, number>();
  for (const line of all.flatMap((each) => [...new Set(each)])) counts.set(line, (counts.get(line) ?? 0) + 1);
  return [...counts].map(([line, count]) => `  - ${line}${count === all.length ? '' : ` (${count} of ${all.length} bundles)`}`);
}

function folderLines(verifications: readonly Verified[], unsound: number): string {
  const unsigned = verifications.filter(({ seal }) => seal === null).length;
  const notProved = counted(verifications.map(({ notes, drill }) => [...notes, ...(drill?.notProved ?? [])]));
  const unlinked = verifications.filter(({ link }) => (link?.previous ?? null) === null).length;
  const lines = notProved.length === 0 ? [] : ['not proved', ...notProved, ''];
  lines.push(`${verifications.length - unsound} of ${verifications.length} bundles are sound${unsigned === 0 ? '' : `, ${unsigned} UNSIGNED`}.`);
  if (unsound === 0) lines.push('Each names the bundles before it, and those are there. The latest has none after it: that it is the latest is not proved.');
  if (unlinked > 0) lines.push(`${unlinked} name none: made before bundles did.`);
  return shown(lines);
}

function drillLines(drill: Drill, sound: boolean): string[] {
  const figure = (ms: number | null, target: number | null) => `${ms === null ? 'not measured' : formatDuration(ms)}${target === null ? '' : ` (target ${formatDuration(target)})`}`;
  return [
    `  drill: ${drill.verdict}${sound ? '' : ', as far as an unsound bundle can say'}: ${drill.title}`,
    ...drill.reasons.map((reason) => `    ${reason.code}${reason.step === undefined ? '' : ` at ${reason.step}`}: ${reason.detail}`),
    `    RTO ${figure(drill.rto.upperMs ?? drill.rto.valueMs, drill.rto.objectiveMs)}, RPO ${figure(drill.rpo.valueMs, drill.rpo.objectiveMs)}`,
  ];
}
