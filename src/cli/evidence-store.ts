import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Environment } from '../engine/documents.js';
import { parseDuration } from '../engine/duration.js';
import { messageOf, RefusedError, UsageError } from '../engine/errors.js';
import type { EventDataOf } from '../engine/events.js';
import type { ObservedCheck, Plan } from '../engine/plan-document.js';
import { StoreError, type EvidenceStore, type Lock } from '../evidence/store/port.js';
import { bundleName, deposit, noteRefused, openRegistrations, register } from '../evidence/store/registrations.js';
import { visible } from '../report/visible.js';
import type { CommandIo } from './io.js';
import { operator } from './note.js';

const bucketPattern = /^s3:\/\/([^/]+)(?:\/(.*))?$/;

/** How a bundle got to the store; `problem` says why it did not. */
export interface Stored {
  /** The object as a person names it. */
  readonly object: string;
  readonly lock: Lock | null;
  readonly problem: string | null;
}

/** What opens the store of an environment. Loads the client of a bucket only when one is named. Throws UsageError. */
export async function storeOf({ evidence }: Environment, environmentPath: string, io: CommandIo): Promise<EvidenceStore | undefined> {
  if (evidence?.store === undefined) {
    if (evidence?.retain !== undefined) throw new UsageError('the environment has evidence.retain and no evidence.store');
    return undefined;
  }
  return openStore(evidence.store, dirname(environmentPath), evidence.retain, io);
}

export async function openStore(store: string, from: string, retain: string | undefined, io: CommandIo): Promise<EvidenceStore> {
  const [, bucket, path = ''] = bucketPattern.exec(store) ?? [];
  if (bucket === undefined) {
    if (retain !== undefined) throw new UsageError('evidence.retain needs a bucket with Object Lock: a folder cannot keep anybody from removing files');
    return (await import('../evidence/store/directory.js')).directoryStore(resolve(from, store));
  }
  const { s3Store } = await import('../evidence/store/s3.js');
  return s3Store({ bucket, prefix: path.replaceAll(/^\/+|\/+$/g, ''), retainMs: retain === undefined ? undefined : parseDuration(retain), env: io.env });
}

/** Out of reach of every step, as the evidence folder is. */
export function storeFolders({ evidence }: Environment, environmentPath: string): string[] {
  return evidence?.store === undefined || bucketPattern.test(evidence.store) ? [] : [resolve(dirname(environmentPath), evidence.store)];
}

/** Looks whether the store answers, before anybody relies on it. Nothing is written. Throws UsageError. */
export async function storeChecks(environment: Environment, environmentPath: string, io: CommandIo): Promise<ObservedCheck[]> {
  const store = await storeOf(environment, environmentPath, io);
  if (store === undefined) return [];
  const found = { id: 'evidence store: it can be read', step: null };
  try {
    const missing = (await openRegistrations(store)).filter(({ refused }) => !refused).length;
    return [{ ...found, result: 'passed', detail: `${store.where}: ${missing === 0 ? 'every run that is registered there left its bundle' : `${missing} registered ${missing === 1 ? 'run' : 'runs'} left no bundle there`}` }];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [{ ...found, result: 'failed', detail: error.message }];
  }
}

/** Registers a run before anything starts. Throws RefusedError. */
export async function registerRun(store: EvidenceStore, plan: Plan, run: string): Promise<EventDataOf<'store.registered'>> {
  const { runbook, environment } = plan.binding;
  try {
    return await register(store, {
      schema: 'muster/registration/v1',
      run,
      plan: plan.digest,
      runbook: { name: runbook.name, version: runbook.version },
      environment: environment.name,
      operator: operator(),
      host: hostname(),
      at: new Date().toISOString(),
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new RefusedError(`this run cannot be registered in the evidence store ${store.where}`, [error.message, 'Nothing was started: a drill that is not registered could vanish unnoticed.'], { cause: error });
  }
}

/** A refused run leaves no bundle; the store is told, so that nobody looks for it. Says so when that fails. */
export async function tellRefused(store: EvidenceStore, run: string, reason: string, io: CommandIo): Promise<void> {
  try {
    await noteRefused(store, run, reason, new Date().toISOString());
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    io.stderr(`${visible(`The evidence store will list this run as one without a bundle: ${error.message}`)}\n`);
  }
}

/** Copies a bundle to the store, packed in `work`. Whatever goes wrong is told and changes nothing of the drill. */
export async function depositBundle(store: EvidenceStore, run: string, bundle: string, work: string): Promise<Stored> {
  const object = `${store.where}/${bundleName(run)}`;
  const zip = join(work, 'bundle.zip');
  try {
    const { packBundle } = await import('../evidence/pack.js');
    const { sha256 } = await packBundle(bundle, zip);
    return { object, lock: await deposit(store, run, { file: zip, sha256 }), problem: null };
  } catch (error) {
    return { object, lock: null, problem: messageOf(error) };
  } finally {
    await rm(zip, { force: true }).catch(() => {});
  }
}
