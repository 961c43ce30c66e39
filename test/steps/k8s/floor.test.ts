import { expect, test } from 'vitest';
import type { KubernetesObject } from '../../../src/clients/kubernetes/port.js';
import { Floor } from '../../../src/steps/k8s/lib/floor.js';

const pod = (uid: string, since: string | null, deleted = false): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: uid, uid, ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
  status: { conditions: [{ type: 'Ready', status: since === null ? 'False' : 'True', lastTransitionTime: since ?? '2026-01-01T00:00:00Z' }] },
});
const listed = (...items: KubernetesObject[]) => ({ type: 'listed', items, resourceVersion: '1' }) as const;
const early = '2026-01-01T00:00:01Z';
const late = '2026-01-01T00:01:00Z';

test('a pod that ends is not ready any more, and the first time below the floor is told', () => {
  const floor = new Floor(2);
  floor.take(listed(pod('a', early), pod('b', early), pod('c', null)), 't0');
  expect(floor.finding()).toEqual({ ok: true, detail: 'the least was 2' });
  floor.take({ type: 'modified', object: pod('b', early, true) }, 't1');
  floor.take({ type: 'modified', object: pod('c', late) }, 't2');
  floor.take({ type: 'deleted', object: pod('a', early) }, 't3');
  expect(floor.finding()).toEqual({ ok: false, detail: '1 at t1' });
});

test('over a hole in the watch only those count that say they were ready since before it', () => {
  const held = new Floor(2);
  held.take(listed(pod('a', early), pod('b', early)), 't0');
  held.take({ type: 'gap', detail: '410' }, 't1');
  held.take(listed(pod('a', early), pod('b', early), pod('c', late)), 't2');
  expect(held.finding().ok).toBe(true);
  const unknown = new Floor(2);
  unknown.take(listed(pod('a', early), pod('b', early)), 't0');
  unknown.take({ type: 'gap', detail: '410' }, 't1');
  unknown.take(listed(pod('a', early), pod('b', late)), 't2');
  expect(unknown.finding()).toMatchObject({ ok: false, detail: expect.stringMatching(/^not known: 410; of 2 pods that were ready before, 1 stayed so/) });
});

test('what was never seen is not known', () => {
  const floor = new Floor(1);
  floor.blind('k8s-forbidden');
  expect(floor.finding()).toEqual({ ok: false, detail: 'not known: k8s-forbidden' });
});
