import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyTree } from '../../../../src/clients/trees/trees.js';
import { leftOut } from '../../../../src/clients/postgres/directory/exclusions.js';
import { giveTo, writeOwned } from '../../../../src/clients/postgres/conf.js';
import pg from 'pg';
import type { Server } from './server.js';

export interface BaseCopy {
  readonly beginLsn: string;
  readonly endLsn: string;
  readonly beginWal: string;
  readonly endWal: string;
  readonly label: string;
  readonly timeline: number;
}

/** A base backup of a running primary into the new folder `to`, by the low-level procedure of PostgreSQL's manual, in one session. */
export async function baseCopy(from: Server, to: string, label: string, signal: AbortSignal): Promise<BaseCopy> {
  const { owner } = from.place;
  const session = new pg.Client({ host: from.socketDir, port: from.port, user: 'postgres', database: 'postgres', application_name: 'cnpg-backup' });
  session.on('error', () => undefined);
  await session.connect();
  try {
    const [begin] = (await session.query<{ lsn: string }>('SELECT pg_backup_start($1, true)::text AS lsn', [label])).rows;
    await copyTree(from.dataDir, to, { owner, signal, living: true, except: leftOut });
    await writeOwned(join(to, 'global', 'pg_control'), await settled(join(from.dataDir, 'global', 'pg_control')), owner);
    for (const folder of ['pg_tblspc', 'pg_wal/archive_status']) {
      await mkdir(join(to, folder), { recursive: true, mode: 0o700 });
      await giveTo(join(to, folder), owner);
    }
    const [end] = (await session.query<{ lsn: string; labelfile: string; wal: string }>('SELECT lsn::text AS lsn, labelfile, pg_walfile_name(lsn) AS wal FROM pg_backup_stop(false)')).rows;
    if (begin === undefined || end === undefined) throw new Error(`${from.name}: the backup has no beginning or no end`);
    await writeOwned(join(to, 'backup_label'), end.labelfile, owner);
    const beginWal = /file ([0-9A-F]{24})/.exec(end.labelfile)?.[1] ?? '';
    return { beginLsn: begin.lsn, endLsn: end.lsn, beginWal, endWal: end.wal, label: end.labelfile, timeline: Number(/^START TIMELINE: (\d+)$/m.exec(end.labelfile)?.[1]) };
  } finally {
    await session.end();
  }
}

/** The server may be writing it: read until two readings in a row agree. */
async function settled(path: string): Promise<Buffer> {
  for (let last = await readFile(path); ; ) {
    const next = await readFile(path);
    if (next.equals(last)) return next;
    last = next;
  }
}
