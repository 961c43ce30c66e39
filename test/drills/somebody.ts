import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { BackupsDetails, LocalDetails, PostgresDetails } from '../../src/clients/postgres/details.js';
import type { DrillEvent, EventOf } from '../../src/engine/events.js';
import { runsIn, type LiveDrill } from './harness.js';

/** Somebody at a second terminal of the same machine. */
export interface Somebody {
  readonly copy: PostgresDetails & { readonly local: LocalDetails };
  readonly backups: BackupsDetails;
  /** A client that connects, says one thing, and is gone. */
  psql(sql: string, application?: string): Promise<void>;
}

const provisioned = (name: string) => (event: DrillEvent): event is EventOf<'connection.provisioned'> => event.type === 'connection.provisioned' && event.data.connection === name;

export async function somebody(live: LiveDrill): Promise<Somebody> {
  const details = async <T>(name: string): Promise<T> => ((await live.until(provisioned(name))) as EventOf<'connection.provisioned'>).data.details as T;
  const copy = await details<Somebody['copy']>('copy');
  const [run = ''] = runsIn(live.state);
  return {
    copy,
    backups: await details<BackupsDetails>('backups'),
    async psql(sql, application = 'psql') {
      const password = await readFile(join(live.state, 'runs', run, 'postgres-password'), 'utf8');
      const client = new pg.Client({ host: copy.host, port: copy.port, user: copy.user, database: copy.database, password, application_name: application });
      await client.connect();
      await client.query(sql);
      await client.end();
    },
  };
}

export const finished = (step: string) => (event: DrillEvent): boolean => event.type === 'step.finished' && event.step === step;
