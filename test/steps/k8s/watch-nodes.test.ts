import { describe, expect, test } from 'vitest';
import { isAlive, taintsFollow, taintThatEvicts } from '../../../src/steps/k8s/lib/watch-nodes.js';
import { Owners } from '../../../src/steps/k8s/lib/watch-owners.js';
import { controllerThatDetaches } from '../../../src/steps/k8s/lib/watch-volumes.js';
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

  test('and its taint goes when the node is back, and not before', () => {
    const back = { ...lost, spec: {}, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
    expect(taintsFollow(lost, back)).toBe(true);
    expect(taintsFollow(lost, { ...lost, spec: {} })).toBe(false);
    const ours = { key: 'shop.example/reserved', effect: 'NoSchedule' };
    expect(taintsFollow({ ...lost, spec: { taints: [ours] } }, back)).toBe(false);
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

test('a number of replicas that alone was changed may have been scaled by anybody, where a server does not sign that', () => {
  const replicaSet = (replicas: number, more: object = {}) => ({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'web', managedFields: [{ manager: 'kube-controller-manager', operation: 'Update', time: '2026-11-20T10:00:00Z', fieldsV1: { 'f:metadata': { 'f:annotations': { 'f:desired': {} } }, 'f:spec': { 'f:replicas': {} } }, ...more }] }, spec: { replicas } });
  expect(writersBetween(replicaSet(1), replicaSet(2), ['spec.replicas'])).toEqual([]);
  expect(writersBetween(replicaSet(1), replicaSet(2), ['metadata.annotations.desired', 'spec.replicas'])).toEqual(['kube-controller-manager']);
  const signed = { subresource: 'status' };
  expect(writersBetween(replicaSet(1, signed), replicaSet(2, signed), ['spec.replicas'])).toEqual(['kube-controller-manager']);
});

test('an attachment goes by itself when no pod of its node uses the volume, and not before', () => {
  const attachment = { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment', metadata: { name: 'csi-1' }, spec: { nodeName: 'a', source: { persistentVolumeName: 'pv' } } };
  const volume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv' }, spec: { claimRef: { namespace: 'shop', name: 'data' } } };
  const user = (nodeName: string, phase: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'db', namespace: 'shop' }, spec: { nodeName, volumes: [{ persistentVolumeClaim: { claimName: 'data' } }] }, status: { phase } });
  expect(controllerThatDetaches(attachment, [volume])).toBe('attach and detach controller, no pod of a uses pv');
  expect(controllerThatDetaches(attachment, [volume, user('a', 'Succeeded'), user('b', 'Running')])).toContain('attach and detach');
  expect(controllerThatDetaches(attachment, [volume, user('a', 'Running')])).toBeUndefined();
  const running = user('a', 'Running');
  // Unmounted, and its pod there until its kubelet deletes it.
  expect(controllerThatDetaches(attachment, [volume, { ...running, metadata: { ...running.metadata, deletionTimestamp: '2026-11-20T10:00:01Z' } }])).toContain('attach and detach');
  expect(controllerThatDetaches(attachment, [])).toContain('outside the boundary');
});

describe('a deletion is explained by its owner', () => {
  const owner = (replicas: number) => ({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'web', uid: 'rs' }, spec: { replicas } });
  const owned = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, uid: name, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs' }] } });
  const two = () => {
    const owners = new Owners();
    for (const each of [owner(2), owned('a'), owned('b')]) owners.remember(each, 0);
    return owners;
  };

  test('that wants fewer, or is gone, also where that is told a little later', () => {
    const fewer = two();
    const first = fewer.deletion(owned('a'), 5_000);
    expect(fewer.explain(first)).toBeNull();
    fewer.remember(owner(1), 6_000);
    expect(fewer.explain(first)).toBe('controller of replicaset web');
    const gone = two();
    const second = gone.deletion(owned('a'), 5_000);
    gone.forget('rs', 6_000);
    expect(gone.explain(second)).toBe('garbage collector, after replicaset web');
  });

  test('and not by one that came to want fewer, or went, much later', () => {
    const owners = two();
    const deletion = owners.deletion(owned('a'), 5_000);
    owners.remember(owner(1), 60_000);
    owners.forget('rs', 61_000);
    expect(owners.explain(deletion)).toBeNull();
  });
});
