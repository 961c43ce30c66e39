import { open, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../engine/canonical.js';
import type { DrillEvent, EventDataOf } from '../engine/events.js';
import type { Defect } from './defect.js';
import { tagManifest } from './texts.js';

/** One of the bundles that stood at the end of the order when a run began. */
export type Predecessor = NonNullable<EventDataOf<'run.started'>['previous']>[number];

/** Where a bundle stands among those of its folder. */
export interface BundleLink {
  readonly run: string;
  /** Of its tag manifest. */
  readonly sha256: string;
  /** Null: made by a version that named none. */
  readonly previous: readonly Predecessor[] | null;
}

export function linkOf(sha256: string | undefined, first: DrillEvent | undefined): BundleLink | undefined {
  if (sha256 === undefined || first?.type !== 'run.started') return undefined;
  return { run: first.data.run, sha256, previous: first.data.previous ?? null };
}

/**
 * Every bundle that another one names must be there, and be what it was: a drill that went wrong cannot be taken away
 * unnoticed once another has followed it. Defects by the run that names what is missing.
 */
export function checkOrder(links: readonly BundleLink[]): { run: string; defect: Defect }[] {
  const byRun = new Map<string, Set<string>>();
  for (const { run, sha256 } of links) byRun.set(run, (byRun.get(run) ?? new Set()).add(sha256));
  const found: { run: string; defect: Defect }[] = [];
  // A bundle and its zip may stand side by side.
  for (const { run, previous } of new Map(links.map((link) => [`${link.run} ${link.sha256}`, link])).values()) {
    for (const named of previous ?? []) {
      const there = byRun.get(named.run);
      if (there === undefined) found.push({ run, defect: { code: 'predecessor-missing', detail: `when it began, the bundle of ${named.run} was there; it is gone` } });
      else if (!there.has(named.sha256)) found.push({ run, defect: { code: 'predecessor-differs', detail: `when it began, the tag manifest of ${named.run} had the sha256 ${named.sha256}; now it has ${[...there].join(', ')}` } });
    }
  }
  for (const [run, digests] of byRun) if (digests.size > 1) found.push({ run, defect: { code: 'predecessor-differs', detail: 'there are several bundles of this run that differ' } });
  return found;
}

const runFolder = /^\d{8}T\d{6}Z-/;
const maxFirstLine = 256 * 1024;

/**
 * The bundles in `evidenceDir` that no other one there names, for the first event of a run that begins. What cannot be
 * read is passed over: a damaged bundle is for `muster verify` to find, and must not keep a drill from running.
 */
export async function latestBundles(evidenceDir: string): Promise<Predecessor[]> {
  const names = (await readdir(evidenceDir).catch(() => [])).filter((name) => runFolder.test(name)).toSorted();
  const followed = new Set<string>();
  for (const name of names) for (const { run } of await previousOf(join(evidenceDir, name))) followed.add(run);
  const latest: Predecessor[] = [];
  for (const run of names) {
    if (followed.has(run)) continue;
    const text = await readFile(join(evidenceDir, run, tagManifest)).catch(() => undefined);
    if (text !== undefined) latest.push({ run, sha256: sha256(text) });
  }
  return latest;
}

async function previousOf(bundle: string): Promise<readonly Predecessor[]> {
  try {
    const handle = await open(join(bundle, 'data', 'events.jsonl'), 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxFirstLine), 0, maxFirstLine, 0);
      const text = buffer.subarray(0, bytesRead).toString('utf8');
      const first = JSON.parse(text.slice(0, text.indexOf('\n'))) as DrillEvent;
      return first.type === 'run.started' ? (first.data.previous ?? []) : [];
    } finally {
      await handle.close();
    }
  } catch {
    return [];
  }
}
