import { sha256 } from '../engine/canonical.js';
import { phases } from '../engine/define-step.js';
import type { Drill } from '../engine/drill.js';
import type { DrillEvent, EventOf } from '../engine/events.js';
import type { Trace, TraceAttributes, TraceEvent, TraceSpan } from '../engine/trace.js';
import { timeline } from './model-clock.js';
import type { ReportInput } from './model.js';

/** The drill as one trace: phases and in them their steps, probes with each outage as an event, and the cleanups. From events alone. */
export function drillTrace({ drill, plan, events }: Pick<ReportInput, 'drill' | 'plan' | 'events'>): Trace {
  const clock = timeline(events);
  const origin = Date.parse(drill.startedAt ?? events[0]?.at ?? '1970-01-01T00:00:00Z');
  const at = (event: DrillEvent, instant?: { readonly at: string; readonly mono: string }) => origin + clock.place(event, instant);
  const spans: TraceSpan[] = [
    {
      name: `drill ${drill.runbook.name}`,
      parent: null,
      startMs: origin,
      endMs: origin + clock.endMs,
      attributes: withoutNull({
        'muster.run': drill.run,
        'muster.verdict': drill.verdict,
        'muster.title': drill.title,
        'muster.runbook.name': drill.runbook.name,
        'muster.runbook.version': drill.runbook.version,
        'muster.runbook.sha256': drill.runbook.sha256,
        'muster.environment.name': drill.environment.name,
        'muster.environment.sandbox': drill.environment.sandbox,
        'muster.plan': plan.digest,
        'muster.rto.ms': drill.rto.upperMs ?? drill.rto.valueMs,
        'muster.rto.objective.ms': drill.rto.objectiveMs,
        'muster.rto.status': drill.rto.status,
        'muster.rpo.ms': drill.rpo.valueMs,
        'muster.rpo.objective.ms': drill.rpo.objectiveMs,
        'muster.rpo.status': drill.rpo.status,
        'muster.rpo.lost': drill.rpo.lost,
      }),
      events: rootEvents(drill, events, at),
      error: drill.verdict === 'passed' ? null : `${drill.verdict}: ${[...new Set(drill.reasons.map(({ code }) => code))].join(', ')}`,
    },
  ];
  stepSpans(drill, events, at, origin, spans);
  for (const span of probeSpans(events, at)) spans.push(span);
  for (const span of cleanupSpans(events, at)) spans.push(span);
  return { id: sha256(`muster trace ${drill.run}`).slice(0, 32), spans };
}

type At = (event: DrillEvent, instant?: { readonly at: string; readonly mono: string }) => number;

function rootEvents(drill: Drill, events: readonly DrillEvent[], at: At): TraceEvent[] {
  const found: TraceEvent[] = [];
  for (const event of events) {
    if (event.type === 'fault.sent') {
      const atMs = at(event, event.data.instant);
      found.push({ name: 'fault', atMs, attributes: { 'muster.fault.kind': event.data.kind, 'muster.fault.detail': event.data.detail } });
      if (drill.rto.restoredMs !== null) found.push({ name: 'restored', atMs: atMs + drill.rto.restoredMs, attributes: {} });
    }
    if (event.type === 'note.manual') found.push({ name: 'changed by hand', atMs: at(event), attributes: { 'muster.who': event.data.who, 'muster.detail': event.data.text } });
    if (event.type === 'watch.observed' && !event.data.ours && event.data.allowedBy === null) found.push({ name: 'changed by others', atMs: at(event), attributes: { 'muster.who': event.data.actor ?? 'unknown', 'muster.detail': `${event.data.watcher}: ${event.data.object}: ${event.data.change}` } });
    if (event.type === 'run.finished') for (const { code, step, detail } of drill.reasons) found.push({ name: 'reason', atMs: at(event), attributes: withoutNull({ 'muster.reason': code, 'muster.step': step ?? null, 'muster.detail': detail }) });
  }
  return found;
}

/** A phase lasts from the start of its first step to the end of its last. Steps that were not executed have no time: they are attributes of the root's reasons only. */
function stepSpans(drill: Drill, events: readonly DrillEvent[], at: At, origin: number, spans: TraceSpan[]): void {
  const byStep = new Map<string, TraceEvent[]>();
  for (const event of events) {
    const said = event.step === undefined ? undefined : stepEvent(event, at);
    if (event.step === undefined || said === undefined) continue;
    const list = byStep.get(event.step);
    if (list === undefined) byStep.set(event.step, [said]);
    else list.push(said);
  }
  for (const phase of [...phases, 'cleanup'] as const) {
    const steps = drill.steps.filter((step) => step.phase === phase).flatMap((step) => (step.startMs === null ? [] : [{ ...step, startMs: step.startMs, endMs: step.startMs + (step.durationMs ?? 0) }]));
    if (steps.length === 0) continue;
    const parent = spans.length;
    spans.push({ name: `phase ${phase}`, parent: 0, startMs: origin + Math.min(...range(steps, 'startMs')), endMs: origin + Math.max(...range(steps, 'endMs')), attributes: { 'muster.phase': phase }, events: [], error: null });
    for (const step of steps) {
      spans.push({
        name: step.id,
        parent,
        startMs: origin + step.startMs,
        endMs: origin + step.endMs,
        attributes: withoutNull({ 'muster.step': step.id, 'muster.uses': step.uses, 'muster.phase': phase, 'muster.branch': step.branch, 'muster.status': step.status, 'muster.attempts': step.attempts, 'muster.waiting.ms': step.waitingMs, 'muster.working.ms': step.workingMs }),
        events: byStep.get(step.id) ?? [],
        error: step.status === 'succeeded' ? null : (step.error ?? step.status),
      });
    }
  }
}

function* range(steps: readonly { readonly startMs: number; readonly endMs: number }[], key: 'startMs' | 'endMs'): Generator<number> {
  for (const step of steps) yield step[key];
}

function stepEvent(event: DrillEvent, at: At): TraceEvent | undefined {
  switch (event.type) {
    case 'step.attempt-failed':
      return { name: 'attempt failed', atMs: at(event), attributes: { 'muster.error': event.data.error.message, 'muster.timed-out': event.data.timedOut } };
    case 'evidence.recorded':
      return { name: 'evidence', atMs: at(event), attributes: { 'muster.evidence': event.data.kind } };
    case 'human.asked':
      return { name: 'a person is asked', atMs: at(event, event.data.instant), attributes: {} };
    case 'human.began':
      return { name: 'a person begins', atMs: at(event, event.data.instant), attributes: { 'muster.who': event.data.who } };
    case 'human.done':
      return { name: 'a person is done', atMs: at(event, event.data.instant), attributes: { 'muster.answered': event.data.answered } };
    default:
      return undefined;
  }
}

/** One span for each availability probe, each stretch without health an event at its beginning. */
function probeSpans(events: readonly DrillEvent[], at: At): TraceSpan[] {
  const probes = new Map<string, EventOf<'probe.sample'>[]>();
  for (const event of events) {
    if (event.type !== 'probe.sample') continue;
    const list = probes.get(event.data.probe);
    if (list === undefined) probes.set(event.data.probe, [event]);
    else list.push(event);
  }
  return [...probes].flatMap(([probe, samples]) => {
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined) return [];
    const outages: TraceEvent[] = [];
    let down: { readonly since: number; failed: number } | undefined;
    const end = (atMs: number) => {
      if (down !== undefined) outages.push({ name: 'outage', atMs: down.since, attributes: { 'muster.outage.ms': Math.max(0, atMs - down.since), 'muster.outage.samples': down.failed } });
      down = undefined;
    };
    for (const sample of samples) {
      if (sample.data.read && sample.data.write) end(at(sample, sample.data.sent));
      else (down ??= { since: at(sample, sample.data.sent), failed: 0 }).failed += 1;
    }
    end(at(last, last.data.done));
    return [{ name: `probe ${probe}`, parent: 0, startMs: at(first, first.data.sent), endMs: at(last, last.data.done), attributes: { 'muster.probe': probe, 'muster.endpoint': first.data.endpoint, 'muster.samples': samples.length }, events: outages, error: null }];
  });
}

function cleanupSpans(events: readonly DrillEvent[], at: At): TraceSpan[] {
  const started = new Map<string, number>();
  const uses = new Map<string, string>();
  return events.flatMap((event) => {
    if (event.type === 'cleanup.deferred') uses.set(event.data.id, event.data.uses);
    if (event.type === 'cleanup.started') started.set(event.data.id, at(event));
    if (event.type !== 'cleanup.finished') return [];
    const { id, ok, error } = event.data;
    return [{ name: `cleanup ${uses.get(id) ?? id}`, parent: 0, startMs: started.get(id) ?? at(event), endMs: at(event), attributes: { 'muster.cleanup': id }, events: [], error: ok ? null : (error ?? 'failed') }];
  });
}

function withoutNull(attributes: Readonly<Record<string, string | number | boolean | null>>): TraceAttributes {
  return Object.fromEntries(Object.entries(attributes).filter((entry): entry is [string, string | number | boolean] => entry[1] !== null));
}
