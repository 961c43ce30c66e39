import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { BaseContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { nextLookMs } from '../../../engine/pace.js';
import { one } from './session.js';

interface ArchiverRow extends Record<string, unknown> {
  readonly last: string | null;
  readonly failed: string;
  readonly failedFile: string | null;
  readonly failing: boolean;
}

const hint = "the server's log says what archive_command answered; is the archive writable, and has its disk space left?";

/**
 * Resolves once pg_stat_archiver says that `segment` is archived. Throws StepError `archiving-fails` as soon as the
 * archiver reports a failure that no success followed, `archive-timeout` after `timeoutMs`. Both may be retried.
 */
export async function waitArchived(session: PostgresSession, segment: string, failedBefore: number, timeoutMs: number, ctx: BaseContext): Promise<void> {
  const started = performance.now();
  for (;;) {
    const row = await one<ArchiverRow>(
      session,
      `SELECT last_archived_wal AS last, failed_count::text AS failed, last_failed_wal AS "failedFile",
              coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing FROM pg_stat_archiver`,
    );
    if (reaches(row.last, segment)) {
      ctx.log(`${segment} is archived after ${Math.round(performance.now() - started)} ms`);
      return;
    }
    if (Number(row.failed) > failedBefore && row.failing) throw new StepError('archiving-fails', `the archiver fails on ${row.failedFile ?? 'a segment'} (${row.failed} failures so far)`, { retryable: true, hint });
    const waitedMs = performance.now() - started;
    if (waitedMs > timeoutMs) throw new StepError('archive-timeout', `${segment} is not archived after ${timeoutMs} ms; last archived: ${row.last ?? 'nothing'}`, { retryable: true, hint });
    await ctx.clock.sleep(nextLookMs(waitedMs), ctx.signal);
  }
}

/** Segments are archived in order on one timeline; history files say nothing about segments. */
function reaches(last: string | null, segment: string): boolean {
  return last !== null && /^[0-9A-F]{24}/.test(last) && last.slice(0, 8) === segment.slice(0, 8) && last.slice(0, 24) >= segment;
}
