import { lstatSync } from 'node:fs';
import { readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256 } from '../../engine/canonical.js';
import { messageOf } from '../../engine/errors.js';
import { makeFolder } from '../../engine/make-folder.js';
import type { BundleSummary, History, Unreadable } from '../../report/history/types.js';
import { readSummary, summaryFiles } from './summary.js';

interface Cached {
  readonly stamp: string;
  readonly summary: BundleSummary;
}

/** Raised with BundleSummary: a cache of another form is not read. */
const form = 2;

/**
 * What the bundles in `evidenceDir` say of themselves. What was read once is kept in `cacheDir` by path, sizes and times
 * of its files; verification never looks there. Partial bundles (a dot before their name) are passed over. Rejects when
 * the folder itself cannot be read.
 */
export async function readHistory(evidenceDir: string, cacheDir: string): Promise<History> {
  const root = await realpath(evidenceDir);
  const names = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => entry.name);
  const file = join(cacheDir, `${sha256(root)}.json`);
  const known = await readCache(file);
  const kept = new Map<string, Cached>();
  const unreadable: Unreadable[] = [];
  let news = false;
  for (const name of names) {
    const stamp = stampOf(join(root, name));
    if (stamp === undefined) continue;
    const cached = known.get(name);
    if (cached?.stamp === stamp) {
      kept.set(name, cached);
      continue;
    }
    try {
      kept.set(name, { stamp, summary: await readSummary(join(root, name), name) });
      news = true;
    } catch (error) {
      unreadable.push({ folder: name, why: messageOf(error) });
    }
  }
  if (news || kept.size !== known.size) await writeCache(file, kept);
  return { root, bundles: withoutCopies([...kept.values()].map(({ summary }) => summary).toSorted(byTime), unreadable), unreadable };
}

/** Each run once: a copy of a bundle under another name is no second drill. */
function withoutCopies(bundles: readonly BundleSummary[], unreadable: Unreadable[]): BundleSummary[] {
  const first = new Map<string, BundleSummary>();
  for (const bundle of bundles) {
    const other = first.get(bundle.run);
    if (other === undefined) first.set(bundle.run, bundle);
    else unreadable.push({ folder: bundle.folder, why: other.sha256 === bundle.sha256 ? `the same bundle as ${other.folder}` : `says that it is of the run ${bundle.run}, as ${other.folder} does` });
  }
  return [...first.values()];
}

function byTime(a: BundleSummary, b: BundleSummary): number {
  const [first, second] = [`${a.startedAt ?? ''} ${a.run} ${a.folder}`, `${b.startedAt ?? ''} ${b.run} ${b.folder}`];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Size and time of each file that the summary comes from; undefined when the folder has none of them: it is no bundle. */
function stampOf(bundle: string): string | undefined {
  const parts = summaryFiles.map((file) => {
    const found = lstatSync(join(bundle, file), { bigint: true, throwIfNoEntry: false });
    return found === undefined ? undefined : `${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
  });
  return parts.every((part) => part === undefined) ? undefined : parts.join(', ');
}

async function readCache(file: string): Promise<Map<string, Cached>> {
  try {
    const found = JSON.parse(await readFile(file, 'utf8')) as { form?: unknown; bundles?: Record<string, Cached> };
    return found.form === form && found.bundles !== undefined ? new Map(Object.entries(found.bundles)) : new Map<string, Cached>();
  } catch {
    // Not there yet, or damaged: the bundles say it all again.
    return new Map();
  }
}

/** A cache that cannot be written is no reason not to answer. */
async function writeCache(file: string, bundles: ReadonlyMap<string, Cached>): Promise<void> {
  const fresh = `${file}.${process.pid}`;
  try {
    await makeFolder(dirname(file), 0o700);
    await writeFile(fresh, JSON.stringify({ form, bundles: Object.fromEntries(bundles) }), { mode: 0o600 });
    await rename(fresh, file);
  } catch {
    await rm(fresh, { force: true }).catch(() => {});
  }
}
