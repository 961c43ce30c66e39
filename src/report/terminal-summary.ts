import { called } from '../engine/called.js';
import type { Drill } from '../engine/drill.js';
import { formatDuration } from '../engine/duration.js';
import { nextStepFor } from './next-steps.js';
import { padEnd, type Style } from './style.js';
import { visible } from './visible.js';

export interface SummaryPlaces {
  /** The bundle's folder, as the reader would type it; null when none could be written. */
  readonly bundle: string | null;
  /** The drill that did not pass and that this one repeats. */
  readonly closes?: string | null;
}

/** The end of a run on the terminal: verdict, reasons and what to do, RTO and RPO against their targets, the bundle. */
export function summary(drill: Drill, places: SummaryPlaces, style: Style): string {
  const colour = { passed: style.good, failed: style.bad, incomplete: style.warn, cancelled: style.warn }[drill.verdict];
  const out = ['', `${style.strong(colour(drill.verdict.toUpperCase()))}  ${style.strong(visible(drill.title))}`, ''];
  for (const [index, reason] of drill.reasons.entries()) {
    out.push(`  ${colour(reason.code)}${reason.step === undefined ? '' : ` at step ${reason.step}`}: ${visible(reason.detail)}`);
    // Reasons of one code stand together; what to do about them is said once.
    if (drill.reasons[index + 1]?.code !== reason.code) out.push(style.dim(`    ${nextStepFor(reason.code, places.bundle ?? undefined)}`));
  }
  if (drill.reasons.length > 0) out.push('');
  if (typeof places.closes === 'string') out.push(`  ${drill.verdict === 'passed' ? style.good('closes') : style.warn('does not close')}  ${visible(places.closes)}`, '');

  const row = (name: string, achieved: string, target: string, status: string): string => `  ${padEnd(name, 6)}${padEnd(achieved, 14)}${padEnd(target, 14)}${status}`;
  out.push(style.dim(row('', 'achieved', 'target', '')));
  out.push(row('RTO', figure(drill.rto.valueMs), target(drill.rto.objectiveMs), status(drill.rto, style)));
  const lost = drill.rpo.lost === null ? '' : ` ${style.dim(`(${drill.rpo.lost} acknowledged ${drill.rpo.lost === 1 ? 'row' : 'rows'} lost)`)}`;
  out.push(row('RPO', figure(drill.rpo.valueMs), drill.rpo.basis === 'code' && drill.rpo.objectiveMs === 0 ? 'as in code' : target(drill.rpo.objectiveMs), status(drill.rpo, style) + lost));
  if (drill.rto.title !== 'recovery time') out.push(`  RTO is: ${visible(drill.rto.title)}`);
  if (drill.rto.waitingMs > 0) out.push(style.dim(`  of it people waited ${formatDuration(drill.rto.waitingMs)}`));
  if (drill.notProved.length > 0) out.push('', style.dim('  What this drill did not prove'));
  for (const thing of drill.notProved) out.push(style.dim(`    - ${visible(thing)}`));
  out.push('');
  if (places.bundle === null) out.push(style.bad('  There is no bundle of this run.'));
  else {
    out.push(`  ${padEnd('bundle', 10)}${places.bundle}`, `  ${padEnd('report', 10)}${places.bundle}/data/report.html`, `  ${padEnd('check it', 10)}${called} verify ${places.bundle}`);
  }
  return `${out.join('\n')}\n`;
}

function figure(ms: number | null): string {
  return ms === null ? 'not measured' : formatDuration(ms);
}

function target(ms: number | null): string {
  return ms === null ? 'none' : ms === 0 ? 'no row lost' : formatDuration(ms);
}

function status(objective: Drill['rto'] | Drill['rpo'], style: Style): string {
  switch (objective.status) {
    case 'met':
      return style.good('met');
    case 'missed':
      return style.bad('missed');
    case 'not-measured':
      return style.warn(`not measured${objective.whyNotMeasured === null ? '' : `: ${visible(objective.whyNotMeasured)}`}`);
    case 'no-objective':
      return style.dim('no objective');
  }
}
