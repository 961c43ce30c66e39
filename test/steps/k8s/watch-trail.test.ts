import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { AuditFile } from '../../../src/clients/audit/file.js';
import type { AuditEvent, AuditSource } from '../../../src/clients/audit/port.js';
import { systemClock } from '../../../src/engine/clock.js';
import type { Observation, WatchContext } from '../../../src/engine/define-watcher.js';
import { AuditTrail } from '../../../src/steps/k8s/lib/watch-trail.js';
import { auditEvent } from '../../clients/audit/lib.js';

const folder = mkdtempSync(join(tmpdir(), 'muster-trail-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Rig {
  readonly trail: AuditTrail;
  readonly gaps: string[];
  readonly seen: Observation[];
  /** What the API server writes. */
  readonly write: (...events: AuditEvent[]) => void;
  /** From now on it audits nothing of what the run does. */
  readonly silence: () => void;
  readonly done: () => Promise<void>;
}

let files = 0;
const after = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString().replace('Z', '000Z');

/** A trail on a file to which an API server of `skewSeconds` writes. */
async function rig({ delayMs = 15_000, skewSeconds = 0, silent = false }: { readonly delayMs?: number | null; readonly skewSeconds?: number; readonly silent?: boolean } = {}): Promise<Rig> {
  const path = join(folder, `audit-${(files += 1)}.log`);
  writeFileSync(path, '');
  let audits = !silent;
  const write = (...events: AuditEvent[]) => appendFileSync(path, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const mark = (auditID: string) => {
    if (audits) write(auditEvent(auditID, { verb: 'create', objectRef: { resource: 'selfsubjectaccessreviews', apiGroup: 'authorization.k8s.io' }, userAgent: 'muster/run-1', requestReceivedTimestamp: after(skewSeconds), stageTimestamp: after(skewSeconds) }));
    return Promise.resolve();
  };
  const gaps: string[] = [];
  const seen: Observation[] = [];
  const ctx = { runId: 'run-1', clock: systemClock(), gap: (detail: string) => void gaps.push(detail), observed: (observation: Observation) => void seen.push(observation), log: () => undefined } satisfies Partial<WatchContext> as unknown as WatchContext;
  const source: AuditSource = Object.assign(new AuditFile(path), { delayMs });
  const trail = new AuditTrail({ source, cluster: { server: 'https://k8s', leaveMark: mark }, places: [{ system: 'kubernetes:cluster', scope: 'recovery-path', namespaces: ['shop'], isNamed: () => false }], markEveryMs: 20 }, ctx);
  const { signal } = new AbortController();
  const done = async () => {
    await trail.close();
    await trail.end(2_000, signal);
    await trail.stop();
  };
  await trail.begin(signal).catch(async (error: unknown) => {
    await trail.stop();
    throw error;
  });
  return { trail, gaps, seen, write, silence: () => void (audits = false), done };
}

const now = (auditID: string, more: AuditEvent = {}, at = after(1)) => auditEvent(auditID, { requestReceivedTimestamp: at, stageTimestamp: at, ...more });

test('each event is told once, in order of time, however often it was delivered', async () => {
  const { write, done, seen, gaps } = await rig();
  const [first, second] = [now('first', {}, after(1)), now('second', { verb: 'delete' }, after(2))];
  write(second, first, second, first);
  await done();
  expect(seen.map(({ change, actor }) => `${change} by ${actor}`)).toEqual(['patch by alice (kubectl/v1.36.1)', 'delete by alice (kubectl/v1.36.1)']);
  expect(gaps).toEqual([]);
});

test('what was delivered late and lies before the drill is not of it, by the clock of the API server', async () => {
  const { write, done, seen } = await rig({ skewSeconds: -3_600 });
  write(now('before', {}, after(-3_700)), now('within', { verb: 'update' }, after(-3_500)));
  await done();
  expect(seen.map(({ change }) => change)).toEqual(['update']);
});

test('a session that began before the drill and ends within it is of it', async () => {
  const { write, done, seen } = await rig();
  write(now('shell', { verb: 'create', objectRef: { resource: 'pods', namespace: 'shop', name: 'web-0', subresource: 'exec' }, requestReceivedTimestamp: after(-600) }));
  await done();
  expect(seen.map(({ change, object }) => `${object}: ${change}`)).toEqual(['pod shop/web-0: exec']);
});

test('it explains the removal of what it says was removed, by name or with all of its kind, and of nothing else', async () => {
  const { write, done, trail } = await rig();
  write(now('a', { verb: 'delete', objectRef: { resource: 'configmaps', namespace: 'shop', name: 'prices' } }), now('b', { verb: 'patch', objectRef: { resource: 'configmaps', namespace: 'shop', name: 'rates' } }), now('c', { verb: 'deletecollection', objectRef: { resource: 'pods', namespace: 'shop' } }), now('d', { verb: 'create', objectRef: { resource: 'secrets', namespace: 'shop', name: 'key', subresource: 'eviction' } }));
  await done();
  const explains = (object: string, removed = true) => trail.explains('kubernetes:cluster', object, removed);
  expect([explains('configmap shop/prices'), explains('pod shop/web-0'), explains('secret shop/key'), explains('configmap shop/rates', false), explains('configmap shop/prices', false)]).toEqual([true, true, true, true, true]);
  expect([explains('configmap shop/rates'), explains('service shop/web'), explains('service shop/web', false), trail.explains('kubernetes:other', 'configmap shop/prices', true)]).toEqual([false, false, false, false]);
});

test('a log that ends early is a gap: what it does not hold proves nothing', async () => {
  const { done, silence, gaps } = await rig({ delayMs: 300 });
  silence();
  await done();
  expect(gaps).toEqual([expect.stringMatching(/^the audit log \S+ held \d+ of the \d+ requests that this run left in it as marks, the first that is missing of \S+Z: what it does not hold proves nothing$/)]);
});

test('a log of nothing is found out at once; where it is late by minutes, at the end, with what to do', async () => {
  await expect(rig({ silent: true, delayMs: 300 })).rejects.toMatchObject({ code: 'audit-silent', hint: expect.stringContaining('https://k8s') });
  const { done, gaps } = await rig({ silent: true, delayMs: null });
  await done();
  expect(gaps).toEqual([expect.stringMatching(/held 0 of the \d+ requests .*; it was read 2 s after the last step and is minutes late: a longer `settle` may help$/)]);
});

test('what the source could not take is a gap, told once with how often', async () => {
  const { trail, done, gaps } = await rig();
  for (const _ of [1, 2, 3]) trail.lost('the audit webhook refused what was sent to it');
  await done();
  expect(gaps).toEqual(['the audit webhook refused what was sent to it (3 times)']);
});
