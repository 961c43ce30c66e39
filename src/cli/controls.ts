import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../engine/errors.js';
import { loadControlMapping } from '../engine/load/record.js';
import { packageRoot } from '../engine/package-root.js';
import { readApprovals, readSeal, type Signature } from '../evidence/history/signature.js';
import type { AllowedSigner } from '../evidence/ssh/allowed-signers.js';
import { verifyBundle } from '../evidence/verify.js';
import { controlsMarkdown, controlsText } from '../report/history/controls-text.js';
import { controlMatrix, disclaimer, latestDrills, type ControlDrill } from '../report/history/controls.js';
import type { BundleSummary } from '../report/history/types.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import { parseTime, readEvidence, readSigners } from './evidence-dir.js';
import type { CommandIo } from './io.js';

export interface ControlsArgs {
  /** Of the user, beside those shipped. */
  readonly mapping: readonly string[];
  /** Only these; all when empty. */
  readonly framework: readonly string[];
  readonly evidenceDir: string;
  readonly allowedSigners?: string | undefined;
  readonly asOf?: string | undefined;
  readonly format: string;
}

/** `muster controls`: which drill is a record for which control. Always 0: it assesses nothing. Throws UsageError; DocumentError for a wrong mapping. */
export async function controls(args: ControlsArgs, io: CommandIo): Promise<number> {
  const now = args.asOf === undefined ? new Date() : parseTime(args.asOf, '--as-of');
  const { chosen, all } = await loadMappings(args, io);
  const signers = await readSigners(args.allowedSigners, io);
  const { root, bundles, unreadable } = await readEvidence(args.evidenceDir, io);
  const latest: ControlDrill[] = [];
  for (const { drill, series } of latestDrills(bundles.filter(({ startedAt }) => startedAt !== null && Date.parse(startedAt) <= now.getTime()))) latest.push({ ...(await factsOf(root, drill, signers, now)), series });
  const matrix = controlMatrix(chosen, latest, all);
  if (args.format === 'json') io.stdout(`${JSON.stringify({ schema: 'muster/controls/v1', asOf: now.toISOString(), ...matrix, disclaimer }, null, 2)}\n`);
  else io.stdout(args.format === 'markdown' ? controlsMarkdown(matrix) : controlsText(matrix, createStyle(wantsColour(process.stdout.isTTY, io.env))));
  for (const { folder, why } of unreadable) io.stderr(`${visible(`${folder}: left out: ${why}`)}\n`);
  return 0;
}

async function loadMappings({ mapping, framework }: ControlsArgs, io: CommandIo) {
  const shipped = join(packageRoot(), 'mappings');
  const own = await Promise.all(mapping.map((file) => loadControlMapping(file, io.cwd)));
  const all = [...(await Promise.all((await readdir(shipped)).toSorted().map((name) => loadControlMapping(join(shipped, name), io.cwd)))), ...own];
  const known = [...new Set(all.map(({ metadata }) => metadata.framework))];
  const wrong = framework.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new UsageError(`there is no mapping of a framework ${visible(wrong)}; expected one of ${known.join(', ')}`);
  return { all, chosen: framework.length === 0 ? all : all.filter(({ metadata }) => framework.includes(metadata.framework)) };
}

async function factsOf(root: string, drill: BundleSummary, signers: readonly AllowedSigner[], now: Date): Promise<Omit<ControlDrill, 'series'>> {
  const bundle = join(root, drill.folder);
  const { defects, drill: derived } = await verifyBundle(bundle);
  const approvals = await readApprovals(bundle, signers, now);
  const words = (signature: Signature, signed: string, unsigned: string) => signatureWords(signature, signed, unsigned, signers.length > 0);
  return {
    drill,
    ageDays: Math.floor((now.getTime() - Date.parse(drill.startedAt ?? '')) / 86_400_000),
    seal: words(await readSeal(bundle, signers, now), 'signed', 'unsigned'),
    approvers: approvals.filter(({ kind }) => kind === 'approval').map(({ file, signature }) => `${file}: ${words(signature, 'signed', 'not signed')}`),
    reviewers: approvals.filter(({ kind }) => kind !== 'approval').map(({ file, signature, says }) => `${file}: ${words(signature, 'signed', 'not signed')}${says === '' ? '' : `, ${says}`}`),
    sound: defects.length === 0 && derived?.verdict === drill.verdict,
  };
}

function signatureWords(signature: Signature, signed: string, unsigned: string, known: boolean): string {
  switch (signature.state) {
    case 'none':
      return unsigned;
    case 'broken':
      return `signature does not hold: ${signature.why}`;
    case 'holds':
      if (signature.by !== null) return `${signed} by ${signature.by}`;
      return `${signed} with ${signature.key}, ${known ? "which is nobody's among the allowed signers" : 'whose key that is was not checked (--allowed-signers)'}`;
  }
}
