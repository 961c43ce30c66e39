import { expect, it } from 'vitest';
import type { AuditEvent } from '../../../src/clients/audit/port.js';
import { toldBy } from '../../../src/steps/k8s/lib/watch-audit.js';

const place = { system: 'kubernetes:cluster', scope: 'recovery-path', namespaces: ['shop'], isNamed: (resource: string, name: string) => resource === 'volumeattachments.storage.k8s.io' && name === 'va-1' } as const;
const did = (event: AuditEvent) => toldBy({ stage: 'ResponseComplete', verb: 'patch', requestURI: '/', user: { username: 'alice' }, userAgent: 'kubectl/v1.36.1 (linux/amd64)', responseStatus: { code: 200 }, requestReceivedTimestamp: '2026-11-20T10:00:00.123456Z', ...event }, place, 'run-1');
const deployment = { resource: 'deployments', apiGroup: 'apps', namespace: 'shop', name: 'web' };
const pod = { resource: 'pods', namespace: 'shop', name: 'web-0' };

it.each<[string, AuditEvent, readonly [object: string, change: string, actor: string, proof: string]]>([
  ['a plural that looks like none', { objectRef: { resource: 'endpoints', namespace: 'shop', name: 'web' } }, ['endpoints shop/web', 'patch', 'alice (kubectl/v1.36.1)', 'another']],
  ['a subresource of a custom resource', { objectRef: { resource: 'clusters', apiGroup: 'postgresql.cnpg.io', namespace: 'shop', name: 'orders', subresource: 'status' } }, ['cluster shop/orders', 'patch status', 'alice (kubectl/v1.36.1)', 'another']],
  ['exec, as it begins', { verb: 'create', stage: 'ResponseStarted', responseStatus: { code: 101 }, objectRef: { ...pod, subresource: 'exec' } }, ['pod shop/web-0', 'exec', 'alice (kubectl/v1.36.1)', 'another']],
  ['exec of newer clients, which is a GET', { verb: 'get', stage: 'ResponseStarted', responseStatus: { code: 101 }, objectRef: { ...pod, subresource: 'exec' } }, ['pod shop/web-0', 'exec', 'alice (kubectl/v1.36.1)', 'another']],
  ['port-forward, as it ends', { verb: 'create', responseStatus: { code: 101 }, objectRef: { ...pod, subresource: 'portforward' } }, ['pod shop/web-0', 'portforward', 'alice (kubectl/v1.36.1)', 'another']],
  ['a field manager', { requestURI: '/x?fieldManager=kubectl%20edit', objectRef: deployment }, ['deployment shop/web', 'patch as kubectl edit', 'alice (kubectl/v1.36.1)', 'another']],
  ['one in nonsense', { requestURI: '/x?fieldManager=%E0%A4%A', objectRef: deployment }, ['deployment shop/web', 'patch as %E0%A4%A', 'alice (kubectl/v1.36.1)', 'another']],
  ['somebody as somebody else', { impersonatedUser: { username: 'bob' }, objectRef: deployment }, ['deployment shop/web', 'patch', 'alice as bob (kubectl/v1.36.1)', 'another']],
  ['all of a kind', { verb: 'deletecollection', objectRef: { resource: 'pods', namespace: 'shop' } }, ['pod shop/*', 'deletecollection', 'alice (kubectl/v1.36.1)', 'another']],
  ['a cluster-scoped object of the boundary', { objectRef: { resource: 'volumeattachments', apiGroup: 'storage.k8s.io', name: 'va-1' } }, ['volumeattachment va-1', 'patch', 'alice (kubectl/v1.36.1)', 'another']],
  ['what the run did', { objectRef: deployment, userAgent: 'muster/run-1' }, ['deployment shop/web', 'patch', 'alice (muster/run-1)', 'ours']],
])('names objects as steps declare them: %s', (_, event, [object, change, actor, proof]) => {
  expect(did(event)?.observation).toEqual({ system: 'kubernetes:cluster', scope: 'recovery-path', object, change, actor, proof, at: '2026-11-20T10:00:00.123456Z' });
});

it.each<[string, AuditEvent]>([
  ['was refused', { objectRef: deployment, responseStatus: { code: 403 } }],
  ['was only tried', { objectRef: deployment, requestURI: '/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All' }],
  ['was only tried, as the sent options say', { verb: 'delete', objectRef: pod, requestObject: { kind: 'DeleteOptions', dryRun: ['All'] } }],
  ['was an eviction that was only tried', { verb: 'create', objectRef: { ...pod, subresource: 'eviction' }, requestObject: { kind: 'Eviction', deleteOptions: { dryRun: ['All'] } } }],
  ['only read', { verb: 'get', objectRef: pod }],
  ['only began', { stage: 'RequestReceived', objectRef: deployment }],
  ['lies in another namespace', { objectRef: { ...pod, namespace: 'other' } }],
  ['is another cluster-scoped object', { objectRef: { resource: 'volumeattachments', apiGroup: 'storage.k8s.io', name: 'va-2' } }],
  ['is of another group', { objectRef: { resource: 'volumeattachments', apiGroup: 'example.com', name: 'va-1' } }],
  ['is no object', { verb: 'create' }],
])('does not tell of what %s', (_, event) => {
  expect(did(event)).toBeUndefined();
});
