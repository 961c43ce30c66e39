import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../engine/canonical.js';
import type { Drill } from '../../engine/drill.js';
import type { Plan } from '../../engine/plan-document.js';
import type { BundleSummary } from '../../report/history/types.js';
import { mismatch, parseJson } from '../parse.js';
import { tagManifest } from '../texts.js';

const maxBytes = 32 * 1024 * 1024;
/** The files that a summary comes from; all else of a bundle is left to `verify`. */
export const summaryFiles = ['data/drill.json', 'data/plan.json', 'manifest-sha256.txt', tagManifest] as const;

/**
 * Reads what a bundle says of itself. Holds the files read against the manifests and their schemas, so that a careless
 * edit shows; only `verify` derives the verdict again. Throws Error that says what is wrong.
 */
export async function readSummary(bundle: string, folder: string): Promise<BundleSummary> {
  const [drillText = '', planText = '', manifest = '', tags = ''] = await Promise.all(summaryFiles.map((file) => readSmall(join(bundle, file), file)));
  for (const [file, text, listed] of [['data/drill.json', drillText, manifest], ['data/plan.json', planText, manifest], ['manifest-sha256.txt', manifest, tags]] as const) {
    if (!listed.split('\n').includes(`${sha256(text)}  ${file}`)) throw new Error(`${file} is not what the manifest says`);
  }
  const drill = document<Drill>('drill', drillText);
  const { binding, digest } = document<Plan>('plan', planText);
  if (digest !== drill.plan) throw new Error('data/plan.json is not the plan of data/drill.json');
  return {
    folder,
    sha256: sha256(tags),
    run: drill.run,
    verdict: drill.verdict,
    reasons: drill.reasons,
    title: drill.title,
    runbook: { ...drill.runbook, owner: binding.runbook.owner },
    environment: { ...drill.environment, sha256: binding.environment.sha256 },
    tool: binding.tool,
    controls: binding.runbook.controls,
    fault: binding.fault,
    startedAt: drill.startedAt,
    finishedAt: drill.finishedAt,
    rto: { status: drill.rto.status, ms: drill.rto.upperMs ?? drill.rto.valueMs, objectiveMs: drill.rto.objectiveMs },
    rpo: { status: drill.rpo.status, ms: drill.rpo.valueMs, objectiveMs: drill.rpo.objectiveMs, lost: drill.rpo.lost },
    outageMs: drill.rto.outageMs,
    manual: drill.manual,
    ...(drill.store === undefined ? {} : { store: drill.store }),
  };
}

function document<T>(name: 'drill' | 'plan', text: string): T {
  const value = parseJson(text);
  const problem = mismatch(name, value);
  if (problem !== undefined) throw new Error(`data/${name}.json: ${problem}`);
  return value as T;
}

/** A regular file of bounded size; never a link, never a FIFO that blocks. Throws Error. */
export async function readSmall(path: string, shown: string): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === 'ENOENT' ? `${shown} is missing` : `${shown} cannot be read: ${error.code ?? error.message}`, { cause: error });
  });
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error(`${shown} is no regular file`);
    if (found.size > maxBytes) throw new Error(`${shown} is larger than ${maxBytes} bytes`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await handle.readFile());
  } finally {
    await handle.close();
  }
}
