import type { BackupInfo } from '../../../clients/postgres/port.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';

export function backupEvidence(repository: string, provider: string, backup: BackupInfo): EvidenceOf<'backup'> {
  const { name, origin, startedAt, finishedAt, startLsn, stopLsn, timeline, systemId, serverVersion, sizeBytes } = backup;
  return { repository, provider, name, origin, startedAt, finishedAt, startLsn, stopLsn, timeline, systemId, serverVersion, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

/** Has this run made it, and recorded it already? A run's id starts with the UTC second in which it began. */
export function madeByRun(backup: BackupInfo, runId: string): boolean {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(runId);
  if (backup.origin !== 'drill' || found === null) return false;
  const [, year, month, day, hour, minute, second] = found;
  return Date.parse(backup.startedAt) >= Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
