import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sha256 } from '../engine/canonical.js';
import { called } from '../engine/called.js';
import { systemClock } from '../engine/clock.js';
import type { Environment } from '../engine/documents.js';
import type { Drill } from '../engine/drill.js';
import { messageOf } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import { parseJournal } from '../engine/journal.js';
import type { Plan } from '../engine/plan-document.js';
import { recordDeliveries } from '../evidence/history/deliveries.js';
import { tagManifest } from '../evidence/texts.js';
import type { Delivery } from '../report/history/types.js';
import { createStyle, wantsColour } from '../report/style.js';
import { visible } from '../report/visible.js';
import type { CommandIo } from './io.js';

export type Sink = NonNullable<Environment['sinks']>[number];

export interface Told {
  readonly drill: Drill;
  readonly plan: Plan;
  readonly events: readonly DrillEvent[];
  /** Its folder. */
  readonly bundle: string;
}

/** After a run, when all else is done: sends what the environment's sinks and OpenTelemetry's variables ask for. Whatever fails is said and listed, and changes nothing. */
export async function tellSinks(told: { readonly drill: Drill; readonly plan: Plan; readonly bundle: string | null }, environment: Environment, io: CommandIo): Promise<void> {
  const { drill, plan, bundle } = told;
  if (bundle === null) return;
  const sinks = await sinksOf(environment, drill, io);
  if (sinks.length === 0) return;
  try {
    const { events } = parseJournal(await readFile(join(bundle, 'data/events.jsonl'), 'utf8'));
    await deliver({ drill, plan, events, bundle }, sinks, io);
  } catch (error) {
    io.stderr(`${visible(`Nobody was told of this drill: ${messageOf(error)}`)}\n`);
  }
}

async function sinksOf({ sinks = [] }: Environment, { verdict }: Drill, { env }: CommandIo): Promise<Sink[]> {
  const wanted = sinks.filter(({ when = 'always' }) => when === 'always' || verdict !== 'passed');
  if (sinks.some(({ type }) => type === 'otel')) return wanted;
  const { otlpEndpoint } = await import('../clients/sinks/otel.js');
  return otlpEndpoint(env) === undefined ? wanted : [...wanted, { type: 'otel' }];
}

/** Sends to all of them side by side, says how it went, and writes it down beside the bundle. Says whether all was delivered. */
export async function deliver(told: Told, sinks: readonly Sink[], io: CommandIo): Promise<boolean> {
  const tags = await readFile(join(told.bundle, tagManifest));
  const bundle = { name: basename(told.bundle), sha256: sha256(tags) };
  const deliveries = await Promise.all(sinks.map((sink) => (sink.type === 'otel' ? toOtel(told, io) : toWebhook(told, bundle, sink, io))));
  const style = createStyle(wantsColour(process.stderr.isTTY, io.env));
  for (const { sink, to, ok, attempts, error } of deliveries) {
    io.stderr(ok ? `${style.good('Sent')} to ${visible(`${sink} ${to}`)}\n` : `${style.bad('NOT DELIVERED')} to ${visible(`${sink} ${to}: ${error ?? ''}`)}${attempts === null || attempts < 2 ? '' : ` (${attempts} attempts)`}\n`);
  }
  const failed = deliveries.filter(({ ok }) => !ok);
  if (failed.length > 0) io.stderr(`  The verdict stands. Send it again: ${called} send ${visible(told.bundle)} ${failed.map(({ sink, to }) => (sink === 'otel' ? '--otel' : `--webhook ${to.slice(1)}`)).join(' ')}\n`);
  await recordDeliveries(dirname(told.bundle), told.drill.run, bundle.sha256, deliveries).catch((error: unknown) => io.stderr(`${visible(`What was delivered could not be written down: ${messageOf(error)}`)}\n`));
  return failed.length === 0;
}

async function toOtel({ drill, plan, events }: Told, { env }: CommandIo): Promise<Delivery> {
  const { otlpEndpoint, sendTrace } = await import('../clients/sinks/otel.js');
  const endpoint = otlpEndpoint(env);
  const done = { sink: 'otel', to: endpoint === undefined ? 'nowhere' : place(endpoint), attempts: null } as const;
  try {
    if (endpoint === undefined) throw new Error('OTEL_EXPORTER_OTLP_ENDPOINT names no collector');
    const { drillTrace } = await import('../report/trace.js');
    await sendTrace(drillTrace({ drill, plan, events }), env);
    return { ...done, ok: true, error: null, at: new Date().toISOString() };
  } catch (error) {
    return { ...done, ok: false, error: messageOf(error) || 'the collector did not answer', at: new Date().toISOString() };
  }
}

async function toWebhook({ drill }: Told, bundle: { readonly name: string; readonly sha256: string }, { urlFrom = '', format = 'slack' }: Sink, { env }: CommandIo): Promise<Delivery> {
  const done = { sink: 'webhook', to: `$${urlFrom}` } as const;
  const url = env[urlFrom] ?? '';
  if (url === '') return { ...done, ok: false, attempts: 0, error: `${urlFrom} is not set: it holds the address`, at: new Date().toISOString() };
  const [{ postWebhook }, { notification, slackMessage }] = await Promise.all([import('../clients/sinks/webhook.js'), import('../report/notification.js')]);
  const posted = await postWebhook(url, format === 'json' ? notification(drill, bundle) : slackMessage(drill, bundle), systemClock());
  return { ...done, ok: posted.ok, attempts: posted.attempts, error: posted.ok ? null : posted.error, at: new Date().toISOString() };
}

/** Host and path of a collector; user, password and query may be secrets. */
function place(endpoint: string): string {
  if (!URL.canParse(endpoint)) return 'an address that is no URL';
  const { protocol, host, pathname } = new URL(endpoint);
  return `${protocol}//${host}${pathname}`;
}
