import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Delivery, Undelivered } from '../../report/history/types.js';
import { parseJson } from '../parse.js';
import { readSmall } from './summary.js';

/** `deliveries-<run>.json` beside the bundle. */
interface DeliveriesDocument {
  readonly schema: 'muster/deliveries/v1';
  readonly run: string;
  /** sha256 of the tag manifest of its bundle; null: there is none. */
  readonly bundle: string | null;
  /** Oldest first; of one sink the last counts. */
  readonly deliveries: readonly Delivery[];
}

const name = /^deliveries-(\d{8}T\d{6}Z-[a-z][a-z0-9-]*-[0-9a-f]{6})\.json$/;

/** Adds to the record of a run. Rejects when the folder cannot be written. */
export async function recordDeliveries(evidenceDir: string, run: string, bundle: string | null, added: readonly Delivery[]): Promise<void> {
  const file = join(evidenceDir, `deliveries-${run}.json`);
  const earlier = await readDeliveries(file).catch(() => []);
  const document: DeliveriesDocument = { schema: 'muster/deliveries/v1', run, bundle, deliveries: [...earlier, ...added] };
  const draft = join(evidenceDir, `.deliveries-${run}.${process.pid}`);
  await writeFile(draft, `${JSON.stringify(document, null, 2)}\n`);
  await rename(draft, file);
}

/** Of every run beside `evidenceDir`'s bundles: what its last attempt did not deliver. Files that cannot be read are passed over: they prove nothing. */
export async function readUndelivered(evidenceDir: string): Promise<Undelivered[]> {
  const found: Undelivered[] = [];
  const files: string[] = await readdir(evidenceDir).catch(() => []);
  for (const file of files.toSorted()) {
    const run = name.exec(file)?.[1];
    if (run === undefined) continue;
    const last = new Map((await readDeliveries(join(evidenceDir, file)).catch(() => [])).map((delivery) => [delivery.sink === 'otel' ? 'otel' : delivery.to, delivery]));
    for (const delivery of last.values()) if (!delivery.ok) found.push({ run, delivery });
  }
  return found;
}

async function readDeliveries(file: string): Promise<Delivery[]> {
  const value = parseJson(await readSmall(file, 'the record of deliveries'));
  const list = typeof value === 'object' && value !== null && 'deliveries' in value && Array.isArray(value.deliveries) ? (value.deliveries as unknown[]) : [];
  return list.filter(isDelivery);
}

function isDelivery(value: unknown): value is Delivery {
  if (typeof value !== 'object' || value === null) return false;
  const { sink, to, ok, error, at } = value as Partial<Record<keyof Delivery, unknown>>;
  return (sink === 'otel' || sink === 'webhook') && typeof to === 'string' && typeof ok === 'boolean' && (error === null || typeof error === 'string') && typeof at === 'string';
}
