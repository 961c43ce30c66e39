import { lstat, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { PendingCleanup } from '../engine/cleanup.js';
import type { DrillEvent } from '../engine/events.js';
import type { EvidenceOf } from '../engine/kinds/index.js';
import type { Plan } from '../engine/plan-document.js';
import type { World } from '../engine/world.js';
import { locksOf } from '../clients/lock/file-lock.js';
import type { OwnedRelations } from '../clients/postgres/owned.js';
import { serverProcesses } from '../clients/postgres/processes.js';
import { processesWith } from '../clients/process/identity.js';
import { claimKey, locksFolder } from './locks.js';
import type { Left } from './left.js';
import type { AskMarked } from './marked.js';
import type { RunPaths } from './state.js';

/** Asks what the drill's role owns on servers that outlive the drill (clients/postgres/owned.ts), by connection. */
export type AskOwned = () => Promise<ReadonlyMap<string, OwnedRelations>>;

/** Files and folders that a run registered to be removed, by the inode noted when they were made. */
interface Made {
  readonly path: string;
  inode: number | undefined;
}

const connectMs = 1_000;

/**
 * What a run has made, from its events, and what of it is still there: processes that bear its name, folders by their
 * identity, ports where something answers, locks, what its role owns in databases that were there before and did not
 * own at the start, and what bears its mark in AWS.
 */
export class Inventory {
  readonly #made = new Map<string, Made[]>();
  #owned: { readonly ask: AskOwned; readonly before: ReadonlyMap<string, OwnedRelations> } | undefined;
  /** What the last look found. */
  left: readonly Left[] = [];

  constructor(private readonly plan: Plan, private readonly paths: RunPaths, private readonly world: World, private readonly askMarked: AskMarked) {}

  apply(event: DrillEvent): void {
    if (event.type === 'cleanup.deferred') {
      const paths = Object.values(event.data.with).filter((value): value is string => typeof value === 'string' && isAbsolute(value));
      this.#made.set(event.data.id, paths.map((path) => ({ path, inode: undefined })));
    } else if (event.type === 'cleanup.confirmed' && typeof event.data.identity['inode'] === 'number') {
      for (const made of this.#made.get(event.data.id) ?? []) made.inode = event.data.identity['inode'];
    }
  }

  /** Before the first step. A process that takes over a run has no such list, and looks at no database. */
  async noteOwned(ask: AskOwned): Promise<void> {
    this.#owned = { ask, before: await ask() };
  }

  /** Looks for what is left; `kept` was left on purpose. */
  async residue(kept: readonly PendingCleanup[], state: string): Promise<EvidenceOf<'residue'>> {
    const { id } = this.paths;
    const keptConnections = new Set(kept.flatMap(({ step }) => (step?.startsWith('provision:') === true ? [step.slice('provision:'.length)] : [])));
    const left = await Promise.all([
      this.#processes(keptConnections),
      this.#folders(new Set(kept.map((cleanup) => cleanup.id))),
      this.#ports(keptConnections),
      this.#relations(kept.length > 0),
      this.#marked(kept.length > 0),
      locksOf(locksFolder(state), id).then((locks) => locks.filter(({ holder }) => holder.key !== claimKey(id)).map(({ path, holder }) => ({ system: 'lock', object: holder.key, remedy: `rm ${path}` }))),
    ]);
    this.left = left.flat();
    return { left: this.left.map(({ system, object }) => ({ system, object })) };
  }

  async #processes(kept: ReadonlySet<string>): Promise<Left[]> {
    const servers = await Promise.all([...kept].map((name) => this.#dataDir(name)).map(async (folder) => (folder === undefined ? [] : (await serverProcesses(folder)).all)));
    const meant = new Set([process.pid, ...servers.flat().map(({ pid }) => pid)]);
    const found = (await processesWith([`MUSTER_RUN=${this.paths.id}`])).filter((pid) => !meant.has(pid));
    return found.map((pid) => ({ system: 'process', object: `pid ${pid}`, remedy: `kill ${pid}` }));
  }

  async #folders(kept: ReadonlySet<string>): Promise<Left[]> {
    const registered = [...this.#made].filter(([id]) => !kept.has(id)).flatMap(([, made]) => made);
    const found: string[] = [];
    for (const { path, inode } of registered) {
      const facts = await lstat(path).catch(() => undefined);
      if (facts !== undefined && inode !== undefined && facts.ino === inode) found.push(path);
    }
    if (kept.size === 0) {
      const temporary = (await readdir(tmpdir()).catch(() => [])).filter((name) => name.includes(this.paths.id)).map((name) => join(tmpdir(), name));
      const work = await lstat(this.paths.work).then(() => [this.paths.work], () => []);
      found.push(...temporary, ...work);
    }
    return [...new Set(found)].map((path) => ({ system: 'directory', object: path, remedy: `rm -r ${path}` }));
  }

  async #ports(kept: ReadonlySet<string>): Promise<Left[]> {
    const forwarders = [...this.world.endpoints].filter(([name]) => this.plan.binding.environment.endpoints[name]?.provision === 'forwarder');
    const places = [
      ...forwarders.map(([name, { host, port }]) => ({ system: `endpoint:${name}`, host, port })),
      ...[...this.world.connections].flatMap(([name, { details, kind }]) => {
        const { host, port } = details;
        return details['local'] === undefined || kept.has(name) || typeof host !== 'string' || typeof port !== 'number' ? [] : [{ system: `${kind}:${name}`, host, port }];
      }),
    ];
    const answers = await Promise.all(places.map(async (place) => ((await answersAt(place.host, place.port)) ? [place] : [])));
    return answers.flat().map(({ system, host, port }) => ({ system, object: `something still listens on ${host}:${port}`, remedy: `find it with: ss -ltnp 'sport = :${port}'` }));
  }

  async #marked(keepsTargets: boolean): Promise<Left[]> {
    const found = await this.askMarked();
    return found.filter(({ connection }) => !keepsTargets || this.world.connections.get(connection)?.role !== 'target').map(({ system, object, remedy }) => ({ system, object, remedy }));
  }

  async #relations(keepsTargets: boolean): Promise<Left[]> {
    if (this.#owned === undefined || this.#owned.before.size === 0) return [];
    const { ask, before } = this.#owned;
    const isKept = (connection: string) => keepsTargets && this.world.connections.get(connection)?.role === 'target';
    return [...(await ask())].flatMap(([connection, now]) =>
      [...now].flatMap(([oid, name]) => (before.get(connection)?.has(oid) !== false || isKept(connection) ? [] : [{ system: `postgres:${connection}`, object: `relation ${name}`, remedy: `drop it on ${connection}` }])),
    );
  }

  #dataDir(connection: string): string | undefined {
    const { local } = (this.world.connections.get(connection)?.details ?? {}) as { local?: { dataDir?: unknown } };
    return typeof local?.dataDir === 'string' ? local.dataDir : undefined;
  }
}

function answersAt(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectMs });
    const done = (answered: boolean) => () => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', done(true)).once('error', done(false)).once('timeout', done(false));
  });
}
