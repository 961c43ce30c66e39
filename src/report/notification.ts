import type { Drill } from '../engine/drill.js';
import { formatDuration } from '../engine/duration.js';
import { visible } from './visible.js';

export interface NotifiedBundle {
  /** The folder's name. */
  readonly name: string;
  /** Of its tag manifest. */
  readonly sha256: string;
}

const maxReasons = 10;
const words = { passed: 'PASSED', failed: 'FAILED', incomplete: 'INCOMPLETE', cancelled: 'CANCELLED' } as const satisfies Record<Drill['verdict'], string>;

/** A message for Slack's incoming webhooks and what takes the same form. Texts of others can neither link nor call people. */
export function slackMessage(drill: Drill, bundle: NotifiedBundle | null): { readonly text: string } {
  const { runbook, environment, reasons } = drill;
  const lines = [
    `*${words[drill.verdict]}*: ${slack(drill.title)}`,
    `${slack(`${runbook.name} ${runbook.version}`)} in ${slack(environment.name)}${environment.sandbox ? ' (sandbox)' : ''}`,
    `RTO ${figure(drill.rto.upperMs ?? drill.rto.valueMs, drill.rto)} · RPO ${figure(drill.rpo.valueMs, drill.rpo)}`,
    ...reasons.slice(0, maxReasons).map(({ code, step, detail }) => `• ${code}${step === undefined ? '' : ` at ${slack(step)}`}: ${slack(detail)}`),
    ...(reasons.length > maxReasons ? [`• and ${reasons.length - maxReasons} more`] : []),
    `run ${slack(drill.run)}, ${bundle === null ? 'WITHOUT A BUNDLE: its evidence could not be written' : `bundle sha256 ${bundle.sha256}`}`,
  ];
  return { text: lines.join('\n') };
}

/** The same for programs. */
export function notification(drill: Drill, bundle: NotifiedBundle | null) {
  const { run, title, verdict, reasons, runbook, environment, plan, startedAt, finishedAt } = drill;
  return {
    schema: 'muster/notification/v1',
    run, title, verdict, reasons, runbook, environment, plan, startedAt, finishedAt,
    rto: { status: drill.rto.status, ms: drill.rto.upperMs ?? drill.rto.valueMs, objectiveMs: drill.rto.objectiveMs },
    rpo: { status: drill.rpo.status, ms: drill.rpo.valueMs, objectiveMs: drill.rpo.objectiveMs, lost: drill.rpo.lost },
    bundle,
  };
}

function figure(ms: number | null, { objectiveMs, status }: Pick<Drill['rto'], 'objectiveMs' | 'status'>): string {
  if (ms === null) return 'not measured';
  return `${formatDuration(ms)}${objectiveMs === null ? '' : ` of ${formatDuration(objectiveMs)}, ${status}`}`;
}

/** Slack acts on &, < and > only, and on its marks at the edges of words. */
function slack(text: string): string {
  return visible(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll(/[*_~`]/g, (mark) => `\u200b${mark}`);
}
