import { Check } from 'typebox/schema';
import type { Runbook } from '../documents.js';
import type { DrillEvent, EventEnvelope, EventOf, EventType } from '../events.js';
import { evidenceKinds, type EvidenceKind, type EvidenceOf } from '../kinds/index.js';
import type { Plan } from '../plan-document.js';
import { Timeline, type Moment } from './timeline.js';

/** One line of the journal and where it stands in it. */
export interface Line<T extends EventType = EventType> {
  readonly event: EventOf<T>;
  readonly index: number;
  readonly segment: number;
}

/** Any line, for its time. */
interface Timed {
  readonly event: EventEnvelope;
  readonly segment: number;
}

/** There can be hundreds of thousands of them. Their lines are made anew for whoever goes through them. */
type Sampled = 'probe.sample' | 'ledger.row';
const isSampled = (type: EventType): type is Sampled => type === 'probe.sample' || type === 'ledger.row';

export interface Recorded<K extends EvidenceKind = EvidenceKind> {
  readonly data: EvidenceOf<K>;
  readonly index: number;
  readonly step: string | undefined;
}

/** What the rules read: the plan, and the journal by type. */
export class Facts {
  readonly timeline: Timeline;
  /** Kinds of evidence whose record does not have the kind's form: it counts as no record. */
  readonly malformed: string[] = [];
  readonly #byType = new Map<EventType, Line[]>();
  readonly #sampled = { 'probe.sample': [] as number[], 'ledger.row': [] as number[] } satisfies Record<Sampled, number[]>;
  readonly #evidence = new Map<EvidenceKind, Recorded[]>();

  constructor(readonly runbook: Runbook, readonly plan: Plan, readonly events: readonly DrillEvent[]) {
    this.timeline = new Timeline(events);
    for (const [index, event] of events.entries()) {
      if (isSampled(event.type)) {
        this.#sampled[event.type].push(index);
        continue;
      }
      const lines = this.#byType.get(event.type);
      const line: Line = { event, index, segment: this.timeline.segmentOf[index] ?? 0 };
      if (lines) lines.push(line);
      else this.#byType.set(event.type, [line]);
      if (event.type === 'evidence.recorded') this.#record(event, index);
    }
  }

  #record(event: EventOf<'evidence.recorded'>, index: number): void {
    const { kind, data } = event.data;
    if (!Object.hasOwn(evidenceKinds, kind) || !Check(evidenceKinds[kind], data)) {
      this.malformed.push(kind);
      return;
    }
    const records = this.#evidence.get(kind) ?? [];
    records.push({ data: data as EvidenceOf<EvidenceKind>, index, step: event.step });
    this.#evidence.set(kind, records);
  }

  /** Of one probe, in the order of the journal. */
  *samples<T extends Sampled>(type: T, probe: string): Generator<Line<T>> {
    for (const index of this.#sampled[type]) {
      const event = this.events[index] as EventOf<Sampled>;
      if (event.data.probe === probe) yield { event: event as EventOf<T>, index, segment: this.timeline.segmentOf[index] ?? 0 };
    }
  }

  of<T extends Exclude<EventType, Sampled>>(type: T): readonly Line<T>[] {
    return (this.#byType.get(type) ?? []) as unknown as readonly Line<T>[];
  }

  evidence<K extends EvidenceKind>(kind: K): readonly Recorded<K>[] {
    return (this.#evidence.get(kind) ?? []) as unknown as readonly Recorded<K>[];
  }

  /** How each preflight check ended the last time, under the name that a reader knows it by. */
  get preflight(): ReadonlyMap<string, EventOf<'preflight.checked'>['data']['result']> {
    return new Map(this.of('preflight.checked').map(({ event: { data: { step, id, result } } }) => [step === undefined ? id : `step ${step}: ${id}`, result]));
  }

  get cancelled(): boolean {
    return this.of('cancel.requested').length > 0;
  }

  /** When the line was written. */
  moment(line: Timed): Moment | null {
    return this.timeline.place(line.event, line.event, line.segment);
  }

  /** An instant that the line carries. */
  instant(line: Timed, instant: { readonly at: string; readonly mono: string }): Moment | null {
    return this.timeline.place(instant, line.event, line.segment);
  }
}
