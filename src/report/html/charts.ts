import type { Objective, PhaseShare } from '../model-objectives.js';
import type { GanttRow } from '../model-gantt.js';
import type { ProbeLane } from '../model-probes.js';
import type { TrendRow } from '../model-trend.js';

/**
 * Inline SVG. Places are percentages and there is no viewBox, so that text keeps its size at any width. Numbers
 * come from the model, texts go through `escape`, class names are our own.
 */
type Escape = (text: string) => string;

/** What was achieved as a bar, the target as a line across it. */
export function objectiveChart({ short, value, target, bar, tone }: Objective, escape: Escape): string {
  const label = escape(`${short}: ${value}, target: ${target}`);
  const filled = bar.value === null ? '' : `<rect class="${tone}" y="6" width="${bar.value}%" height="14" rx="3"/>`;
  const anchor = bar.target !== null && bar.target > 50 ? 'end' : 'start';
  const line = bar.target === null ? '' : `<line class="target" x1="${bar.target}%" x2="${bar.target}%" y1="0" y2="26"/><text x="${bar.target}%" dx="${anchor === 'end' ? 1 : -1}" y="42" text-anchor="${anchor}">target ${escape(target)}</text>`;
  return `<svg class="objective" role="img" aria-label="${label}"><rect class="track" y="6" width="100%" height="14" rx="3"/>${filled}${line}</svg>`;
}

/** The phases of the recovery end to end; the list below it names them. */
export function phaseChart(phases: readonly PhaseShare[]): string {
  const parts = phases.filter(({ width }) => width > 0).map(({ phase, left, width }) => `<rect class="phase-${phase}" x="${left}%" width="${width}%" height="18"/>`);
  return `<svg class="phases" aria-hidden="true"><rect class="track" width="100%" height="18"/>${parts.join('')}</svg>`;
}

/** One step of the Gantt chart. The row's other cells say the same in words. */
export function rowChart({ bar, tone, waiting }: GanttRow): string {
  if (bar === null) return '<svg aria-hidden="true"><line class="never" x1="0" x2="100%" y1="9" y2="9"/></svg>';
  const waits = waiting.map(({ left, width }) => `<rect class="wait" x="${left}%" width="${width}%" y="4" height="10"/>`).join('');
  // A rectangle without width is not drawn at all, not even its outline.
  return `<svg aria-hidden="true"><rect class="${tone}" x="${bar.left}%" width="${Math.max(bar.width, 0.05)}%" y="4" height="10"/>${waits}</svg>`;
}

/** What a probe saw: healthy low and calm, an outage shaded over the whole height. */
export function laneChart({ probe, summary, segments, marks }: ProbeLane, escape: Escape): string {
  const parts = segments.map(({ tone, left, width }) =>
    tone === 'bad'
      ? `<rect class="outage" x="${left}%" width="${width}%" y="14" height="40"/><rect class="bad" x="${left}%" width="${width}%" y="40" height="14"/>`
      : `<rect class="${tone}" x="${left}%" width="${width}%" y="40" height="14"/>`,
  );
  const lines = marks.map(({ label, at }) => {
    const end = label === 'fault' ? at > 12 : at > 85;
    return `<line class="mark" x1="${at}%" x2="${at}%" y1="2" y2="58"/><text x="${at}%" dx="${end ? -5 : 5}" y="11" text-anchor="${end ? 'end' : 'start'}">${escape(label)}</text>`;
  });
  return `<svg class="lane" role="img" aria-label="${escape(`Probe ${probe}: ${summary}`)}"><rect class="track" y="40" width="100%" height="14"/>${parts.join('')}${lines.join('')}</svg>`;
}

/** One RTO of the trend; the cell before it says it in words. */
export function trendBar({ bar, tone }: TrendRow): string {
  return bar === null ? '' : `<svg class="${tone}" aria-hidden="true"><rect class="${tone}" y="4" width="${bar}%" height="10" rx="2"/></svg>`;
}
