import type { BackupInfo } from '../../../clients/postgres/port.js';
import type { BaseContext, PlanContext, PreflightCheck } from '../../../engine/define-step.js';
import { formatDuration, parseDuration } from '../../../engine/duration.js';
import { StepError } from '../../../engine/errors.js';
import { isUnknown } from '../../../engine/plannable.js';

/** The inputs of postgres.restore that say which backup goes where, any of them still unknown. */
interface Asked {
  readonly repository?: unknown;
  readonly into?: unknown;
  readonly backup?: unknown;
  readonly target?: unknown;
}

/**
 * The backup that a restore would use now. While the target waits for the run it will lie after now, so that the newest
 * backup comes before it.
 */
export async function pickBackup({ repository, backup, target }: Asked, ctx: Pick<PlanContext, 'ports'>): Promise<BackupInfo | undefined> {
  if (typeof repository !== 'string') throw new StepError('no-such-connection', 'the repository is not known before the run');
  const newestFirst = (await ctx.ports.postgres.repository(repository).list()).toSorted((a, b) => Date.parse(b.finishedAt) - Date.parse(a.finishedAt));
  if (typeof backup === 'string' && backup !== 'latest-before-target') return newestFirst.find(({ name }) => name === backup);
  const { type, value } = typeof target === 'object' && target !== null && !isUnknown(target) ? (target as { readonly type?: unknown; readonly value?: unknown }) : {};
  const before = type === 'time' && typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(before) ? newestFirst[0] : newestFirst.find(({ finishedAt }) => Date.parse(finishedAt) < before);
}

/** Above the size of the backup: WAL that is fetched, and what the server writes once it runs. */
const spaceFactor = 1.2;

/** Room for the copy where it goes, and a server of the backup's major version to start it with. */
export async function checkRestore(asked: Asked, ctx: PlanContext): Promise<PreflightCheck[]> {
  const ids = ['disk space', 'version'] as const;
  const all = (result: PreflightCheck['result'], detail: string) => ids.map((id) => ({ id, result, detail }));
  const local = typeof asked.into === 'string' ? here(() => ctx.ports.postgres.local(String(asked.into))) : undefined;
  const backup = await pickBackup(asked, ctx).catch((error: unknown) => {
    if (error instanceof StepError && error.code === 'no-such-connection') return undefined;
    throw error;
  });
  if (backup === undefined) return ctx.stage === 'prepared' || ctx.stage === 'verified' ? all('could-not-run', 'there is no backup to go by') : all('deferred', 'there is no backup to go by yet');
  return [await space(backup, local?.dataDir, ctx), version(backup, local?.version)];
}

async function space(backup: BackupInfo, dataDir: string | undefined, ctx: PlanContext): Promise<PreflightCheck> {
  const id = 'disk space';
  if (backup.sizeBytes === undefined) return { id, result: 'could-not-run', detail: `the repository does not say how large ${backup.name} is` };
  const place = dataDir ?? ctx.stateDir;
  if (place === undefined) return { id, result: 'deferred', detail: 'the run makes the place for the copy' };
  const free = await ctx.ports.files.free(place);
  const needed = Math.ceil(backup.sizeBytes * spaceFactor);
  const detail = `${inMiB(needed)} are needed for ${backup.name} (its size and a fifth more), ${inMiB(free)} are free in ${place}`;
  // As root the copy may go elsewhere, where the server's own user can reach it.
  if (dataDir === undefined && process.geteuid?.() === 0) return { id, result: 'deferred', detail: `${detail}; looked at again once the place is made` };
  return { id, result: free >= needed ? 'passed' : 'failed', detail };
}

function version(backup: BackupInfo, server: string | undefined): PreflightCheck {
  const id = 'version';
  if (server === undefined) return { id, result: 'deferred', detail: 'the run makes the place for the copy' };
  const major = (text: string) => Number.parseInt(text, 10);
  if (Number.isNaN(major(backup.serverVersion))) return { id, result: 'could-not-run', detail: `the repository does not say which version ${backup.name} is of` };
  const same = major(backup.serverVersion) === major(server);
  return { id, result: same ? 'passed' : 'failed', detail: `the backup is of PostgreSQL ${backup.serverVersion}, the copy runs on ${server}` };
}

/** Throws StepError `backup-too-old`: the rule that was reviewed allows no such backup. */
export function refuseOld(backup: BackupInfo, maxAge: string | undefined, ctx: Pick<BaseContext, 'clock'>): void {
  if (maxAge === undefined) return;
  const ageMs = Date.parse(ctx.clock.now().at) - Date.parse(backup.finishedAt);
  if (ageMs > parseDuration(maxAge)) throw new StepError('backup-too-old', `the backup ${backup.name} is ${formatDuration(ageMs)} old, at most ${maxAge} is allowed`);
}

function here<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof StepError && error.code === 'no-such-connection') return undefined;
    throw error;
  }
}

const inMiB = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
