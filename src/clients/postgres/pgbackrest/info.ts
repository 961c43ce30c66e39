import { StepError } from '../../../engine/errors.js';
import type { BackupInfo } from '../port.js';

/** What `pgbackrest info --output=json` says, as far as we read it (pgBackRest 2.45 and later). */
interface Info {
  readonly name: string;
  readonly status: { readonly code: number; readonly message: string };
  readonly db: readonly { readonly id: number; readonly 'system-id': number | string; readonly version: string }[];
  readonly backup: readonly {
    readonly label: string;
    readonly timestamp: { readonly start: number; readonly stop: number };
    readonly lsn: { readonly start: string; readonly stop: string } | null;
    readonly archive: { readonly start: string | null };
    readonly database: { readonly id: number };
    readonly info: { readonly size: number };
    readonly error?: boolean | null;
    readonly annotation?: Readonly<Record<string, string>>;
  }[];
}

/** Marks a backup that a drill made, where pgBackRest knows annotations (2.41 and later). */
export const originAnnotation = 'muster-origin';

/** System ids exceed what JSON numbers hold in JavaScript: they are quoted before parsing. */
function parse(text: string): readonly Info[] {
  return JSON.parse(text.replaceAll(/("system-id":)(\d+)/g, '$1"$2"')) as readonly Info[];
}

/**
 * Times have whole seconds: a backup really finished within the second after `finishedAt`. Backups with known errors are left
 * out. Throws StepError `no-stanza`.
 */
export function backupsOf(text: string, stanza: string): BackupInfo[] {
  const info = parse(text).find((entry) => entry.name === stanza);
  if (info === undefined || (info.status.code !== 0 && info.backup.length === 0 && info.status.code !== 2)) {
    throw new StepError('no-stanza', `pgBackRest says of the stanza ${stanza}: ${info?.status.message ?? 'it does not exist'}`);
  }
  return info.backup
    .filter((backup) => backup.error !== true && backup.lsn !== null)
    .map((backup) => {
      const database = info.db.find(({ id }) => id === backup.database.id);
      return {
        name: backup.label,
        startedAt: new Date(backup.timestamp.start * 1000).toISOString(),
        finishedAt: new Date(backup.timestamp.stop * 1000).toISOString(),
        startLsn: backup.lsn?.start ?? '',
        stopLsn: backup.lsn?.stop ?? '',
        timeline: Number.parseInt((backup.archive.start ?? '').slice(0, 8), 16),
        systemId: String(database?.['system-id'] ?? ''),
        serverVersion: database?.version ?? '',
        origin: backup.annotation?.[originAnnotation] === 'drill' ? ('drill' as const) : ('schedule' as const),
        sizeBytes: backup.info.size,
      };
    });
}
