import { execFile, spawn } from 'node:child_process';
import { appendFile, mkdir, open, readFile, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { giveTo, writeOwned } from '../../../../src/clients/postgres/conf.js';
import { asUser } from '../../../../src/clients/postgres/owner.js';
import { postmasterFile, serverProcesses } from '../../../../src/clients/postgres/processes.js';
import type { Place } from './place.js';
import { hostRules, instanceConf, type ServerPlan } from './settings.js';

const startMs = 60_000;
const stopMs = 60_000;

/** One real PostgreSQL server: its folder, its process and a superuser's session over its socket. */
export class Server {
  readonly dataDir: string;
  readonly socketDir: string;
  readonly #logFile: string;
  #process: { readonly pid: number; readonly ended: Promise<unknown> } | undefined;
  #session: pg.Client | undefined;
  /** Called when the postmaster ends, whoever ended it. */
  ended: () => void = () => undefined;

  constructor(readonly name: string, readonly port: number, readonly place: Place, folder: string) {
    this.dataDir = join(folder, 'data');
    this.socketDir = join(folder, 'run');
    this.#logFile = join(folder, 'postgres.log');
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Folders around the data, which whoever fills the data needs. */
  async prepare(): Promise<void> {
    const own = dirname(this.dataDir);
    await mkdir(dirname(own), { recursive: true, mode: 0o755 });
    for (const folder of [own, this.socketDir]) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await giveTo(folder, this.place.owner);
    }
    await rm(this.dataDir, { recursive: true, force: true });
  }

  async initialize(): Promise<void> {
    await this.prepare();
    await promisify(execFile)(join(this.place.binDir, 'initdb'), ['-D', this.dataDir, '-U', 'postgres', '--auth=scram-sha-256', '--auth-local=trust', '--data-checksums', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'], {
      ...asUser(this.place.owner),
      cwd: '/',
      env: { ...this.place.env },
    });
    await appendFile(join(this.dataDir, 'postgresql.conf'), "\ninclude 'instance.conf'\n");
    await writeOwned(join(this.dataDir, 'pg_hba.conf'), hostRules, this.place.owner);
  }

  async configure(plan: ServerPlan): Promise<void> {
    await writeOwned(join(this.dataDir, 'instance.conf'), instanceConf(plan), this.place.owner);
    if (this.#process !== undefined) process.kill(this.#process.pid, 'SIGHUP');
  }

  async signalFile(name: 'standby.signal' | 'recovery.signal', there: boolean): Promise<void> {
    if (there) await writeOwned(join(this.dataDir, name), '', this.place.owner);
    else await rm(join(this.dataDir, name), { force: true });
  }

  /** Resolves when the server accepts connections, hot standby included. Throws with the end of its log when it ends instead. */
  async start(signal: AbortSignal): Promise<void> {
    // A postmaster.pid of one that was killed would be waited for.
    await rm(join(this.dataDir, 'postmaster.pid'), { force: true });
    const log = await open(this.#logFile, 'a');
    try {
      const child = spawn(join(this.place.binDir, 'postgres'), ['-D', this.dataDir], { ...asUser(this.place.owner), cwd: '/', env: { ...this.place.env }, stdio: ['ignore', log.fd, log.fd] });
      const ended = once(child, 'exit');
      await once(child, 'spawn');
      if (child.pid === undefined) throw new Error(`${this.name}: no process`);
      const started = { pid: child.pid, ended };
      this.#process = started;
      void ended.then(() => {
        if (this.#process === started) this.#process = undefined;
        this.#forget();
        this.ended();
      });
    } finally {
      await log.close();
    }
    const until = performance.now() + startMs;
    while (!(await this.#accepts())) {
      if (this.#process === undefined) throw new Error(`${this.name} did not start: ${await this.lastLog()}`);
      if (signal.aborted || performance.now() > until) throw new Error(`${this.name} did not accept connections: ${await this.lastLog()}`);
      await pause(20);
    }
  }

  async #accepts(): Promise<boolean> {
    const file = await postmasterFile(this.dataDir);
    // `standby` is a server whose postmaster is up and whose recovery is not consistent yet.
    return file !== undefined && file.pid === this.pid && file.state === 'ready';
  }

  /** Lines of the log that tell why a server ended. */
  async lastLog(): Promise<string> {
    const lines = (await readFile(this.#logFile, 'utf8').catch(() => '')).trimEnd().split('\n');
    const fatal = lines.slice(-30).filter((line) => /FATAL|PANIC/.test(line));
    return (fatal.length > 0 ? fatal : lines.slice(-3)).join(' | ');
  }

  async query<R extends pg.QueryResultRow>(sql: string, params: readonly unknown[] = [], database = 'postgres'): Promise<R[]> {
    if (database !== 'postgres') return this.#once<R>(sql, params, database);
    this.#session ??= await this.#connect(database);
    try {
      return (await this.#session.query<R>(sql, [...params])).rows;
    } catch (error) {
      // A server that answers with an error has a good session; one that is gone has none.
      if (!(error instanceof pg.DatabaseError) || error.severity === 'FATAL') this.#forget();
      throw error;
    }
  }

  async #once<R extends pg.QueryResultRow>(sql: string, params: readonly unknown[], database: string): Promise<R[]> {
    const client = await this.#connect(database);
    try {
      return (await client.query<R>(sql, [...params])).rows;
    } finally {
      await client.end();
    }
  }

  async #connect(database: string): Promise<pg.Client> {
    const client = new pg.Client({ host: this.socketDir, port: this.port, user: 'postgres', database, application_name: 'cnpg-instance-manager', connectionTimeoutMillis: 10_000, query_timeout: 120_000 });
    client.on('error', () => this.#forget());
    await client.connect();
    return client;
  }

  #forget(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.end().catch(() => undefined);
  }

  /** A fast shutdown: the walsenders wait until standbys have everything, and the archiver is given its last file. */
  async stop(): Promise<void> {
    this.#forget();
    const running = this.#process;
    if (running === undefined) return;
    process.kill(running.pid, 'SIGINT');
    const late = new AbortController();
    await Promise.race([running.ended, pause(stopMs, undefined, { signal: late.signal }).then(() => this.kill(), () => undefined)]);
    late.abort();
  }

  /** SIGKILL for every process of the server, as for all of a container at once. */
  async kill(): Promise<void> {
    this.#forget();
    const running = this.#process;
    // First, or it would begin to recover from the death of the others.
    if (running !== undefined) killed(running.pid);
    for (let left = (await serverProcesses(this.dataDir)).all; left.length > 0; left = (await serverProcesses(this.dataDir)).all) {
      for (const { pid } of left) killed(pid);
      await pause(5);
    }
    await running?.ended;
  }
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
