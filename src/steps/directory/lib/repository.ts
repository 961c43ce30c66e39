import { watch, type FSWatcher } from 'node:fs';
import { basename, join } from 'node:path';
import type { BackupsDetails } from '../../../clients/postgres/details.js';
import type { Observation, WatchContext } from '../../../engine/define-watcher.js';
import type { Archiver } from './archiver.js';
import { compareFiles, fileFacts, listFiles, type FileChange, type FileFacts } from './listing.js';
import { fitsName, readWalHeader } from './wal-header.js';

/** Segments on their way into the archive. */
const passing = new Set(['incoming']);
const temporary = /\.pgbackrest\.tmp$/;
const archived = /^(?:[0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup)?(?:-[0-9a-f]{40}(?:\.\w+)?)?|[0-9A-F]{8}\.history(?:\.\w+)?)$/;

/** A repository of backups and WAL: whatever changes in it, unless a server of the drill archived it. */
export class Repository {
  #baseline: ReadonlyMap<string, FileFacts> = new Map();
  #live: FSWatcher[] = [];
  /** Files that came after the baseline, as they were seen first. */
  readonly #came = new Map<string, FileFacts>();
  #lookedAt: string;

  constructor(
    readonly connection: string,
    private readonly details: BackupsDetails,
    private readonly archivers: readonly Archiver[],
    private readonly ctx: WatchContext,
  ) {
    this.#lookedAt = ctx.clock.now().at;
  }

  async begin(): Promise<void> {
    // From here on events come; what is listed already is no news.
    if (this.details.provider === 'directory') for (const folder of ['wal', 'base']) this.#live.push(watch(join(this.details.path, folder), (_event, name) => void this.#touched(folder, name)));
    this.#baseline = await this.#list();
    for (const path of this.#baseline.keys()) this.#came.delete(path);
  }

  /** Tells at once of files that are no WAL, and of those that came and went between two listings. */
  async turn(): Promise<void> {
    const since = this.#lookedAt;
    this.#lookedAt = this.ctx.clock.now().at;
    for (const [path, facts] of this.#came) {
      const now = await fileFacts(join(this.details.path, path));
      if (now === undefined) this.#observe({ path, change: 'file added', before: undefined, after: facts }, 'file added, then removed', since);
      else if (!archived.test(basename(path)) || !path.startsWith('wal/')) this.#observe({ path, change: 'file added', before: undefined, after: now }, 'file added', since);
      if (now === undefined) this.#came.delete(path);
    }
  }

  /** Compares everything; waits up to `patienceMs` for the archivers' statistics of files that are there already. */
  async end(patienceMs: number, began: string): Promise<number> {
    await this.turn();
    this.stop();
    const until = performance.now() + patienceMs;
    const now = await this.#list();
    const changes = compareFiles(this.#baseline, now);
    const added = changes.filter(({ path, change }) => change === 'file added' && archived.test(basename(path)));
    for (const archiver of this.archivers) await archiver.ask();
    while (added.some(({ path }) => !this.archivers.some((archiver) => archiver.hasArchived(basename(path)))) && this.archivers.some(({ answers }) => answers) && performance.now() < until) {
      await this.ctx.clock.sleep(50, this.ctx.signal);
      for (const archiver of this.archivers) await archiver.ask();
    }
    let theirs = 0;
    for (const change of changes) {
      const why = added.includes(change) ? await this.#foreign(change) : change.change;
      if (why === null) theirs += 1;
      else this.#observe(change, why, began);
    }
    const counts = this.archivers.map((archiver) => archiver.archived);
    const counted = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    if (counts.every((count) => count !== undefined) && this.archivers.every(({ answers }) => answers) && theirs > counted) {
      this.#tell({ object: 'archive', change: `${theirs - counted} more files than the server archived`, actor: null, proof: 'none', since: began });
    }
    return 1 + now.size;
  }

  stop(): void {
    for (const live of this.#live.splice(0)) live.close();
  }

  /** Why a file in the archive is not the doing of a server of the drill; null when it is. */
  async #foreign({ path, after }: FileChange): Promise<string | null> {
    const name = basename(path);
    const header = this.details.provider === 'directory' && /^[0-9A-F]{24}(?:\.partial)?$/.test(name) ? await readWalHeader(join(this.details.path, path)) : null;
    if (header === undefined) return 'file added that is no WAL';
    if (header !== null && !fitsName(name, header)) return 'file added whose content is other WAL than its name says';
    const ours = this.archivers.filter(({ systemId }) => systemId !== undefined && (header === null || header.systemId === systemId));
    if (ours.length === 0) return 'file added with WAL of another server';
    if (ours.some((archiver) => archiver.hasArchived(name))) return null;
    // A server that was lost may have archived until it was.
    if (ours.some(({ answers, heardMs }) => !answers && (after?.modifiedMs ?? 0) <= heardMs + 5_000)) return null;
    return 'file added that the server has not archived';
  }

  async #touched(folder: string, name: string | null): Promise<void> {
    if (name === null || temporary.test(name)) return;
    const path = `${folder}/${name}`;
    const facts = await fileFacts(join(this.details.path, path));
    if (facts !== undefined && !this.#baseline.has(path) && !this.#came.has(path)) this.#came.set(path, facts);
  }

  async #list(): Promise<Map<string, FileFacts>> {
    const files = await listFiles(this.details.path, '', passing);
    for (const path of files.keys()) if (temporary.test(path)) files.delete(path);
    return files;
  }

  #observe({ path, before, after }: FileChange, change: string, since: string): void {
    const uid = (after ?? before)?.uid;
    const stranger = after !== undefined && this.details.uid !== null && uid !== this.details.uid;
    this.#tell({
      object: `file ${path}`,
      change,
      actor: stranger ? `uid ${uid}` : null,
      proof: stranger ? 'another' : 'none',
      since,
      ...(before === undefined ? {} : { before: { size: before.size } }),
      ...(after === undefined ? {} : { after: { size: after.size } }),
    });
  }

  #tell(what: Omit<Observation, 'system' | 'scope'>): void {
    this.ctx.observed({ system: `backups:${this.connection}`, scope: 'recovery-path', ...what });
  }
}
