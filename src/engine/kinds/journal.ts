import { Type, type Static, type TSchema } from 'typebox';
import type { DrillEvent } from '../events.js';
import { literals, nullable, strict } from '../schema.js';

/**
 * Kinds of evidence that no step delivers: what the engine itself wrote in its journal. Each becomes data/evidence/<kind>.json as
 * the others do, and a runbook can require it.
 */
const Json = Type.Unknown();

export const journalKinds = {
  approvals: Type.Object(
    { who: Type.String(), key: Type.String({ description: 'Fingerprint of the key that signed' }), file: Type.String({ description: 'In sig/' }), approval: Type.String({ description: 'sha256 of that file' }), signature: Type.String({ description: 'sha256 of its signature' }) },
    { ...strict, description: 'An approval of the plan that the run relied on' },
  ),
  changes: Type.Object(
    {
      what: literals(['observed', 'gap', 'unseen', 'ended', 'note'], { description: 'A change; a time in which the watcher was blind; what it cannot see; its last check; what the operator says was done by hand' }),
      watcher: nullable(Type.String()),
      facts: Type.Record(Type.String(), Json, { description: 'As the event has them: event.schema.json' }),
    },
    { ...strict, description: 'What the change watchers saw and did not see, and what people said they changed' },
  ),
  clock: Type.Object(
    { began: literals(['started', 'resumed', 'finished']), mono: Type.String({ description: 'Monotonic clock, ns' }), boot: Type.String({ description: 'Of which start of the machine that clock is' }), host: nullable(Type.String()) },
    { ...strict, description: "The anchors between UTC (the record's own time) and the monotonic clock: where each segment of the run began, and its end" },
  ),
} as const satisfies Record<string, TSchema>;

export type JournalKind = keyof typeof journalKinds;
export const journalKindNames = Object.keys(journalKinds) as JournalKind[];

export type JournalRecord = { [K in JournalKind]: { readonly kind: K; readonly data: Static<(typeof journalKinds)[K]> } }[JournalKind];

const whats = { 'watch.observed': 'observed', 'watch.gap': 'gap', 'watch.unseen': 'unseen', 'watch.ended': 'ended' } as const;

/** What an event is evidence of by itself; undefined for most. */
export function journalRecord(event: DrillEvent): JournalRecord | undefined {
  const { mono, boot } = event;
  switch (event.type) {
    case 'plan.approved':
      return { kind: 'approvals', data: event.data };
    case 'watch.observed':
    case 'watch.gap':
    case 'watch.unseen':
    case 'watch.ended': {
      const { watcher, ...facts } = event.data;
      return { kind: 'changes', data: { what: whats[event.type], watcher, facts } };
    }
    case 'note.manual':
      return { kind: 'changes', data: { what: 'note', watcher: null, facts: event.data } };
    case 'run.started':
      return { kind: 'clock', data: { began: 'started', mono, boot, host: event.data.host } };
    case 'run.resumed':
      return { kind: 'clock', data: { began: 'resumed', mono, boot, host: event.data.host } };
    case 'run.finished':
      return { kind: 'clock', data: { began: 'finished', mono, boot, host: null } };
    default:
      return undefined;
  }
}
