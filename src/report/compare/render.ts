import { markdownCode, markdownTable, markdownText } from '../markdown-text.js';
import { padEnd, padStart, type Style } from '../style.js';
import { utc, visible } from '../visible.js';
import { shortDuration, signed, type Change, type Comparison } from './model.js';

const maxParts = 12;
const time = (ms: number | null) => (ms === null ? '—' : shortDuration(ms));
const worse = ({ delta }: Change, style: Style) => (delta === null || delta === 0 ? style.dim : delta > 0 ? style.bad : style.good);

/** The first line says it all; the rest shows where it comes from. */
export function comparisonText(comparison: Comparison, style: Style): string {
  const { headline, runs, parts, changes } = comparison;
  const lines = [style.strong(visible(headline)), ''];
  for (const [index, { run, verdict, at }] of runs.entries()) lines.push(`  ${index === 0 ? 'before' : 'after '}  ${at === null ? 'never started' : utc(at)}  ${padEnd(verdict, 10)}  ${visible(run)}`);
  lines.push('', style.strong(`  ${padEnd('', 34)} ${padStart('before', 10)} ${padStart('after', 10)} ${padStart('change', 10)}`));
  const row = (name: string, each: Change, indent = '  ') => lines.push(`${indent}${padEnd(visible(name), 36 - indent.length)} ${padStart(time(each.before), 10)} ${padStart(time(each.after), 10)} ${worse(each, style)(padStart(signed(each.delta), 10))}`);
  for (const [name, each] of measures(comparison)) row(name, each);
  for (const phase of comparison.phases) row(phase.phase, phase, '    ');
  lines.push('', style.strong('  What made the difference'));
  const moved = movedParts(parts);
  for (const part of moved.slice(0, maxParts)) row(partName(part, parts), part, '    ');
  if (moved.length === 0) lines.push('    no step took longer or shorter');
  if (moved.length > maxParts) lines.push(style.dim(`    and ${moved.length - maxParts} smaller ones`));
  lines.push('', style.strong('  What changed between'));
  for (const { what, before, after } of changes) lines.push(`    ${padEnd(visible(what), 30)} ${visible(before)} -> ${visible(after)}`);
  if (changes.length === 0) lines.push('    nothing that the bundles record');
  return lines.map((line) => `${line}\n`).join('');
}

export function comparisonMarkdown(comparison: Comparison): string {
  const { headline, runs, phases, parts, changes } = comparison;
  const row = (name: string, each: Change) => [name, time(each.before), time(each.after), signed(each.delta)];
  const moved = movedParts(parts).slice(0, maxParts);
  return `${[
    `## ${markdownText(headline)}`,
    runs.map(({ run, verdict }, index) => `${index === 0 ? 'Before' : 'After'}: ${markdownCode(run)}, ${verdict}`).join('; '),
    markdownTable(['', 'Before', 'After', 'Change'], [...measures(comparison).map(([name, each]) => row(`**${name}**`, each)), ...phases.map((phase) => row(phase.phase, phase)), ...moved.map((part) => row(markdownCode(partName(part, parts)), part))]),
    changes.length === 0 ? 'Nothing that the bundles record changed between.' : markdownTable(['Changed between', 'Before', 'After'], changes.map(({ what, before, after }) => [markdownText(what), markdownText(before), markdownText(after)])),
  ].join('\n\n')}\n`;
}

/** What is a hundredth of the greatest difference, or less, explains nothing. Largest first, as they come. */
function movedParts(parts: Comparison['parts']): Comparison['parts'] {
  const most = Math.max(0, ...parts.map(({ delta }) => Math.abs(delta ?? 0)));
  return parts.filter(({ delta }) => delta !== 0 && Math.abs(delta ?? most) > most / 100);
}

function measures({ rto, withoutWaiting, outage, rpo }: Comparison): (readonly [string, Change])[] {
  return [['RTO', rto], ['RTO without waiting', withoutWaiting], ['outage that clients saw', outage], ['RPO', rpo]];
}

/** What is left of a step beside its parts is not the step. */
function partName({ step, phase, what }: Comparison['parts'][number], all: Comparison['parts']): string {
  const rest = what === null && all.some((each) => each.step === step && each.what !== null) ? 'all else' : what;
  return `${phase}: ${step}${rest === null ? '' : ` (${rest})`}`;
}
