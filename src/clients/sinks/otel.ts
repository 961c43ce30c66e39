import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { sha256 } from '../../engine/canonical.js';
import { UsageError } from '../../engine/errors.js';
import { toolVersion } from '../../engine/package-root.js';
import type { Trace } from '../../engine/trace.js';

type Env = Readonly<Record<string, string | undefined>>;

const batch = 512;

/** The address that OpenTelemetry's own variables name; undefined where they name none, or turn traces off. */
export function otlpEndpoint(env: Env): string | undefined {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER']?.trim() === 'none') return undefined;
  return env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_ENDPOINT'] || undefined;
}

/**
 * Sends a trace by OTLP over HTTP (JSON). The SDK reads OTEL_EXPORTER_OTLP_* (endpoint, headers, timeout, certificates) and
 * OTEL_RESOURCE_ATTRIBUTES from this process, and tries again by itself within its timeout (10 s). Rejects with what went wrong.
 */
export async function sendTrace(trace: Trace, env: Env): Promise<void> {
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  if (protocol === 'grpc') throw new UsageError('OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported: name the HTTP port of the collector (usually 4318) and http/json');
  const [{ OTLPTraceExporter }, spans] = await Promise.all([import('@opentelemetry/exporter-trace-otlp-http'), spansOf(trace)]);
  const exporter = new OTLPTraceExporter();
  try {
    for (let from = 0; from < spans.length; from += batch) {
      const sent = spans.slice(from, from + batch);
      await new Promise<void>((resolve, reject) => {
        exporter.export(sent, ({ code, error }) => (code === 0 ? resolve() : reject(error ?? new Error('the collector did not take the trace'))));
      });
    }
  } finally {
    await exporter.shutdown();
  }
}

async function spansOf(trace: Trace): Promise<ReadableSpan[]> {
  const [{ ROOT_CONTEXT, SpanStatusCode, trace: api }, { AlwaysOnSampler, BasicTracerProvider }, { detectResources, envDetector, resourceFromAttributes }] = await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-trace-base'), import('@opentelemetry/resources')]);
  const done: ReadableSpan[] = [];
  let made = 0;
  const provider = new BasicTracerProvider({
    sampler: new AlwaysOnSampler(),
    resource: resourceFromAttributes({ 'service.name': 'muster', 'service.version': toolVersion() }).merge(detectResources({ detectors: [envDetector] })),
    idGenerator: {
      generateTraceId: () => trace.id,
      generateSpanId: () => sha256(`${trace.id} ${(made += 1)}`).slice(0, 16),
    },
    spanProcessors: [{ onStart: () => {}, onEnd: (span) => void done.push(span), forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() }],
  });
  const tracer = provider.getTracer('muster', toolVersion());
  const contexts = [];
  for (const { name, parent, startMs, endMs, attributes, events, error } of trace.spans) {
    const within = parent === null ? ROOT_CONTEXT : (contexts[parent] ?? ROOT_CONTEXT);
    const span = tracer.startSpan(name, { startTime: startMs, attributes }, within);
    for (const event of events) span.addEvent(event.name, event.attributes, event.atMs);
    if (error !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    span.end(endMs);
    contexts.push(api.setSpan(ROOT_CONTEXT, span));
  }
  await provider.shutdown();
  return done;
}
