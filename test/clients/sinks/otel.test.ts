import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { otlpEndpoint, sendTrace } from '../../../src/clients/sinks/otel.js';
import { drillTrace } from '../../../src/report/trace.js';
import { httpReceiver } from '../../components/http-receiver.js';
import { inputOf } from '../../report/lib/drills.js';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly events: readonly { readonly name: string; readonly timeUnixNano: string }[];
}
interface Body {
  readonly resourceSpans: readonly { readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: object }[] }; readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

let receiver: Awaited<ReturnType<typeof httpReceiver>>;
beforeEach(async () => {
  receiver = await httpReceiver();
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) vi.stubEnv(name, undefined);
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await receiver.close();
});

const spansIn = () => receiver.received.flatMap(({ body }) => (body as Body).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));

describe('a trace sent by OTLP', () => {
  it('arrives whole: ids, tree, times, events and status', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%20abc');
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=drills');
    const trace = drillTrace(inputOf({ failAt: 'restore' }));
    await sendTrace(trace, process.env);
    expect(receiver.received.map(({ path, headers }) => [path, headers['authorization']])).toEqual([['/v1/traces', 'Bearer abc']]);
    const spans = spansIn();
    expect(spans.map(({ name }) => name)).toEqual(trace.spans.map(({ name }) => name));
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([trace.id]));
    for (const [at, span] of spans.entries()) {
      const told = trace.spans[at];
      expect(span.parentSpanId ?? null).toBe(told?.parent === null || told === undefined ? null : spans[told.parent]?.spanId);
      expect(Number(BigInt(span.startTimeUnixNano) / 1000n)).toBeCloseTo((told?.startMs ?? 0) * 1000, -1);
      expect(span.events.map(({ name }) => name)).toEqual(told?.events.map(({ name }) => name));
      expect(span.status.code ?? 0).toBe(told?.error === null ? 0 : 2);
    }
    const [first] = receiver.received;
    const resource = first === undefined ? [] : (first.body as Body).resourceSpans[0]?.resource.attributes;
    expect(resource).toContainEqual({ key: 'service.name', value: { stringValue: 'muster' } });
    expect(resource).toContainEqual({ key: 'deployment.environment.name', value: { stringValue: 'drills' } });
  });

  it('of 5,000 steps is sent in parts', async () => {
    const trace = drillTrace(inputOf({ extraSteps: 5000 }));
    await sendTrace(trace, process.env);
    expect(receiver.received.length).toBe(Math.ceil(trace.spans.length / 512));
    expect(new Set(spansIn().map(({ spanId }) => spanId)).size).toBe(trace.spans.length);
  });

  it('that the collector refuses, or does not take in time, is an error', async () => {
    await receiver.close();
    receiver = await httpReceiver([400]);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
    await expect(sendTrace(drillTrace(inputOf()), process.env)).rejects.toThrow();
    expect(receiver.received).toHaveLength(1);
    vi.stubEnv('OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc');
    await expect(sendTrace(drillTrace(inputOf()), process.env)).rejects.toThrow(/grpc/);
  });
});

it("OpenTelemetry's own variables say whether and where", () => {
  expect(otlpEndpoint({})).toBeUndefined();
  expect(otlpEndpoint({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a' })).toBe('http://a');
  expect(otlpEndpoint({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b/t' })).toBe('http://b/t');
  expect(otlpEndpoint({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
  expect(otlpEndpoint({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a', OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
});
