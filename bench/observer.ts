/**
 * A client of its own that looks at an endpoint every 5 ms: `node dist/bench/observer.js <host> <port> <table>`, with the
 * password in the file PGPASSFILE. It reads and writes on one connection and makes a new one after an error. The end of its
 * standard input, which its parent's death is too, ends it; it then prints what it saw as JSON.
 */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { fromPassFile } from '../src/clients/postgres/password.js';

const everyMs = 5;
const patienceMs = 1_000;
const [host = '', port = '', table = ''] = process.argv.slice(2);
const login = { host, port: Number(port), user: 'postgres', database: 'app' };
const password = fromPassFile(readFileSync(process.env['PGPASSFILE'] ?? '', 'utf8'), login) ?? '';

interface Sample {
  readonly sent: number;
  readonly done: number;
  readonly healthy: boolean;
}

export interface Observed {
  readonly samples: number;
  /** From the first failed sample's start to the end of the first of the healthy ones that last; null without an outage. */
  readonly outageMs: number | null;
}

let client: pg.Client | undefined;

async function connected(): Promise<pg.Client> {
  if (client !== undefined) return client;
  const opening = new pg.Client({ ...login, password, application_name: 'bench-observer', connectionTimeoutMillis: patienceMs, query_timeout: patienceMs });
  opening.on('error', () => forget(opening));
  try {
    await opening.connect();
    await opening.query('CREATE TABLE IF NOT EXISTS bench_observer (id int PRIMARY KEY, n bigint NOT NULL)');
  } catch (error) {
    forget(opening);
    throw error;
  }
  return (client = opening);
}

function forget(lost: pg.Client): void {
  if (client === lost) client = undefined;
  lost.end().catch(() => undefined);
}

/** Like an application: an SQL error leaves the connection, anything else ends it. */
async function healthy(): Promise<boolean> {
  try {
    const open = await connected();
    await open.query(`SELECT FROM ${pg.escapeIdentifier(table)} LIMIT 1`);
    await open.query('INSERT INTO bench_observer AS o VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = o.n + 1');
    return true;
  } catch (error) {
    if (client !== undefined && !(error instanceof pg.DatabaseError)) forget(client);
    return false;
  }
}

function judge(samples: readonly Sample[]): Observed {
  // What fails before the service was seen to be well is no outage.
  const seen = samples.slice(Math.max(0, samples.findIndex((sample) => sample.healthy)));
  const failed = seen.find((sample) => !sample.healthy);
  const back = seen[seen.findLastIndex((sample) => !sample.healthy) + 1];
  return { samples: samples.length, outageMs: failed === undefined || back === undefined ? null : back.done - failed.sent };
}

const samples: Sample[] = [];
let over = false;
process.stdin.resume().once('end', () => (over = true));
while (!over) {
  const sent = performance.now();
  const result = await healthy();
  const done = performance.now();
  samples.push({ sent, done, healthy: result });
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, everyMs - (done - sent))));
}
process.stdout.write(JSON.stringify(judge(samples)));
process.exit(0);
