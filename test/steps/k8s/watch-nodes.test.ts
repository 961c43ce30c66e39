import { describe, expect, test } from 'vitest';
import { isAlive, taintThatEvicts } from '../../../src/steps/k8s/lib/watch-nodes.js';
import { writersBetween } from '../../../src/steps/k8s/lib/watch-managers.js';

const unreachable = 'node.kubernetes.io/unreachable';
const lost = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' }, spec: { taints: [{ key: unreachable, effect: 'NoExecute', timeAdded: '2026-11-20T10:00:00Z' }] }, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } };
const pod = (deletedAt: string, tolerations: readonly object[]) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', deletionTimestamp: deletedAt, deletionGracePeriodSeconds: 30 }, spec: { nodeName: 'a', tolerations } });
const fiveMinutes = [{ key: unreachable, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }];

describe('a pod of a lost node is evicted by the control plane', () => {
  test('once it no longer tolerates the loss', () => {
    // deletionTimestamp is the end of the time that it has to end: 10:05:00 and thirty seconds.
    expect(taintThatEvicts(pod('2026-11-20T10:05:30Z', fiveMinutes), lost)).toBe(`taint eviction, node a is ${unreachable}`);
    expect(taintThatEvicts(pod('2026-11-20T10:00:31Z', []), lost)).toContain('taint eviction');
  });

  test('and by somebody else when it is earlier, tolerated for ever, or on a node that is well', () => {
    expect(taintThatEvicts(pod('2026-11-20T10:04:30Z', fiveMinutes), lost)).toBeUndefined();
    expect(taintThatEvicts(pod('2026-11-20T12:00:00Z', [{ operator: 'Exists' }]), lost)).toBeUndefined();
    expect(taintThatEvicts(pod('2026-11-20T12:00:00Z', []), { ...lost, spec: {} })).toBeUndefined();
    expect(taintThatEvicts(pod('2026-11-20T12:00:00Z', []), undefined)).toBeUndefined();
  });

  test('whose kubelet can end nothing', () => {
    expect(isAlive(lost)).toBe(false);
    expect(isAlive({ ...lost, status: { conditions: [{ type: 'Ready', status: 'True' }] } })).toBe(true);
  });
});

test('who wrote one part and took another away within a second is known by the part that is there', () => {
  const time = '2026-11-20T10:00:00Z';
  const endpoints = (annotations: object, fields: object) => ({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web', ...annotations, managedFields: [{ manager: 'kube-controller-manager', operation: 'Update', time, fieldsV1: { 'f:subsets': {}, ...fields } }] } });
  const before = endpoints({ annotations: { since: 'then' } }, { 'f:metadata': { 'f:annotations': { 'f:since': {} } } });
  expect(writersBetween(before, endpoints({}, {}), ['metadata.annotations', 'subsets'])).toEqual(['kube-controller-manager']);
  // Anybody may have taken it away.
  expect(writersBetween(before, endpoints({}, {}), ['metadata.annotations'])).toEqual([]);
});
