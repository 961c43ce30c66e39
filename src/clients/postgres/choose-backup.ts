import { StepError } from '../../engine/errors.js';
import type { BackupInfo, RestoreRequest } from './port.js';
import { parseLsn, parseTime, postgresTime, type Target } from './target.js';

/**
 * The backup that a restore starts from. `latest-before-target`: for a time the newest that finished before it, for an
 * LSN the newest that ends at or before it; names, transactions, `immediate` and `latest` say nothing about when, so
 * the newest. Throws StepError `no-backup`, which tells what there is.
 */
export function chooseBackup(backups: readonly BackupInfo[], wanted: RestoreRequest['backup'], target: Target): BackupInfo {
  const newestFirst = backups.toSorted((a, b) => Number(parseTime(b.finishedAt) - parseTime(a.finishedAt)));
  const there = newestFirst.length === 0 ? 'The repository holds no finished backup.' : `There are: ${newestFirst.map((b) => `${b.name} (finished ${b.finishedAt}, ends at ${b.stopLsn})`).join(', ')}.`;
  const chosen = wanted === 'latest-before-target' ? newestFirst.find((backup) => isBefore(backup, target)) : newestFirst.find((backup) => backup.name === wanted);
  if (chosen !== undefined) return chosen;
  const what = wanted === 'latest-before-target' ? `no backup is from before the target ${describe(target)}` : `there is no backup ${JSON.stringify(wanted)}`;
  throw new StepError('no-backup', what, { hint: there });
}

function isBefore(backup: BackupInfo, target: Target): boolean {
  if (target.type === 'time') return parseTime(backup.finishedAt) < parseTime(target.value ?? '');
  if (target.type === 'lsn') return parseLsn(backup.stopLsn) <= parseLsn(target.value ?? '');
  return true;
}

function describe(target: Target): string {
  return target.type === 'time' ? postgresTime(parseTime(target.value ?? '')) : `${target.type} ${target.value ?? ''}`.trim();
}
