import { csv } from '../csv.js';
import type { History, Undelivered, WithoutBundle } from './types.js';

/** One line for each drill, oldest first. Times are milliseconds; an empty cell was not measured or not set. */
export function historyCsv({ bundles }: Pick<History, 'bundles'>): string {
  return csv(
    [
      'run', 'started_at', 'finished_at', 'runbook', 'version', 'title', 'owner', 'environment', 'sandbox', 'fault', 'verdict', 'reasons', 'rto_ms', 'rto_objective_ms', 'rto_status',
      'rpo_ms', 'rpo_objective_ms', 'rpo_status', 'rows_lost', 'outage_ms', 'manual_steps', 'waiting_ms', 'working_ms', 'tool', 'runbook_sha256', 'environment_sha256', 'bundle_sha256', 'folder',
    ],
    bundles.map((bundle) => [
      bundle.run, bundle.startedAt, bundle.finishedAt, bundle.runbook.name, bundle.runbook.version, bundle.title, bundle.runbook.owner, bundle.environment.name, bundle.environment.sandbox,
      bundle.fault, bundle.verdict, [...new Set(bundle.reasons.map(({ code }) => code))].join(' '), bundle.rto.ms, bundle.rto.objectiveMs, bundle.rto.status, bundle.rpo.ms,
      bundle.rpo.objectiveMs, bundle.rpo.status, bundle.rpo.lost, bundle.outageMs, bundle.manual.steps, bundle.manual.waitingMs, bundle.manual.workingMs, bundle.tool, bundle.runbook.sha256,
      bundle.environment.sha256, bundle.sha256, bundle.folder,
    ]),
  );
}

/** The same for tools. */
export function historyJson({ bundles, unreadable }: Pick<History, 'bundles' | 'unreadable'>, without: readonly WithoutBundle[], undelivered: readonly Undelivered[] = []): string {
  return `${JSON.stringify({ schema: 'muster/history/v1', drills: bundles, unreadable, withoutBundle: without, undelivered }, null, 2)}\n`;
}
