import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { BackupsDetails, LocalDetails, PostgresDetails } from '../../src/clients/postgres/details.js';
import type { DrillEvent, EventOf } from '../../src/engine/events.js';
import { root, runsIn, type LiveDrill } from './harness.js';

type Live = Pick<LiveDrill, 'state' | 'until'>;

interface Begun {
  readonly live: Live;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

/** A command of the command line that goes on while something else happens; its state is `folder`/state. */
export function begin(folder: string, args: readonly string[]): Begun {
  const state = join(folder, 'state');
  const { NODE_OPTIONS: _options, VITEST: _vitest, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'bin/muster.js'), ...args], { cwd: folder, env: { ...env, MUSTER_STATE_DIR: state, HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  let over = false;
  const ended: Begun['ended'] = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      over = true;
      resolve({ code, ...said });
    });
  });
  const live: Live = {
    state,
    async until(fits) {
      for (;;) {
        const found = journalIn(state).find(fits);
        if (found !== undefined) return found;
        if (over) throw new Error(`the drill ended before what was waited for:\n${said.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
  return { live, ended };
}

function journalIn(state: string): DrillEvent[] {
  const [run] = runsIn(state);
  const file = join(state, 'runs', run ?? '', 'journal.jsonl');
  return run !== undefined && existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as DrillEvent) : [];
}

/** Somebody at a second terminal of the same machine. */
export interface Somebody {
  readonly copy: PostgresDetails & { readonly local: LocalDetails };
  readonly backups: BackupsDetails;
  /** Of the run's servers. */
  readonly password: string;
  /** A client that connects, says one thing, and is gone. */
  readonly psql: (sql: string, application?: string) => Promise<void>;
}

const provisioned = (name: string) => (event: DrillEvent): event is EventOf<'connection.provisioned'> => event.type === 'connection.provisioned' && event.data.connection === name;

export async function somebody(live: Live): Promise<Somebody> {
  const details = async <T>(name: string): Promise<T> => ((await live.until(provisioned(name))) as EventOf<'connection.provisioned'>).data.details as T;
  const copy = await details<Somebody['copy']>('copy');
  const [run = ''] = runsIn(live.state);
  const password = await readFile(join(live.state, 'runs', run, 'postgres-password'), 'utf8');
  return {
    copy,
    password,
    backups: await details<BackupsDetails>('backups'),
    async psql(sql, application = 'psql') {
      const client = new pg.Client({ host: copy.host, port: copy.port, user: copy.user, database: copy.database, password, application_name: application });
      await client.connect();
      await client.query(sql);
      await client.end();
    },
  };
}

export const finished = (step: string) => (event: DrillEvent): boolean => event.type === 'step.finished' && event.step === step;
