import { Check } from 'typebox/schema';
import { Type } from 'typebox';
import type { Drill } from '../drill.js';
import type { EventDataOf } from '../events.js';
import type { Facts } from './facts.js';
import type { Finding } from './reasons.js';

type Observed = EventDataOf<'watch.observed'>;

const Policy = Type.Object({ required: Type.Optional(Type.Array(Type.String())) });

/** Watchers whose silence would be a hole in the proof, by the plan's policy. */
function requiredWatchers(facts: Facts): readonly string[] {
  const watch = facts.plan.binding.environment.watch;
  return Check(Policy, watch) ? (watch.required ?? []) : [];
}

const undocumented = (data: Observed): boolean => !data.ours && data.allowedBy === null && data.scope === 'recovery-path';

/** undocumented-change and watch-gap. */
export function changeFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  const required = new Set(requiredWatchers(facts));
  for (const { event } of facts.of('note.manual')) found.push({ code: 'undocumented-change', ...(event.step === undefined ? {} : { step: event.step }), detail: `${event.data.who} says: ${event.data.text}` });
  for (const { event } of facts.of('watch.observed')) {
    const { data } = event;
    if (undocumented(data)) found.push({ code: 'undocumented-change', detail: `${data.watcher}: ${data.object}: ${data.change}${data.actor === null ? '' : ` by ${data.actor}`}` });
  }
  for (const { event } of facts.of('watch.gap')) {
    const { watcher, detail } = event.data;
    if (event.data.required || required.has(watcher)) found.push({ code: 'watch-gap', detail: `${watcher}: ${detail}` });
  }
  if (facts.cancelled) return found;
  for (const watcher of required) {
    const ended = facts.of('watch.ended').filter(({ event }) => event.data.watcher === watcher);
    if (ended.length === 0) found.push({ code: 'watch-gap', detail: `${watcher}: it is required and did not watch to the end` });
    else if (ended.some(({ event }) => event.data.checks < 1)) found.push({ code: 'watch-gap', detail: `${watcher}: it is required and never looked` });
  }
  return found;
}

export function countChanges(facts: Facts): Drill['changes'] {
  const others = facts.of('watch.observed').map(({ event }) => event.data).filter(({ ours }) => !ours);
  return {
    undocumented: others.filter(undocumented).length + facts.of('note.manual').length,
    allowed: others.filter(({ allowedBy }) => allowedBy !== null).length,
    elsewhere: others.filter(({ allowedBy, scope }) => allowedBy === null && scope === 'elsewhere').length,
  };
}
