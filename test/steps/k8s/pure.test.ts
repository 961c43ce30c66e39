import { describe, expect, it } from 'vitest';
import { runMark } from '../../../src/engine/mark.js';
import { changeOf, rightOf } from '../../../src/steps/k8s/lib/declare.js';
import { hasCondition } from '../../../src/steps/k8s/lib/goal.js';
import { textAt, valuesAt } from '../../../src/steps/k8s/lib/jsonpath.js';
import { kindOf } from '../../../src/steps/k8s/lib/kinds.js';
import { marked } from '../../../src/steps/k8s/lib/marked.js';
import { mergePatchBack } from '../../../src/steps/k8s/lib/merge.js';

describe('a kind', () => {
  it.each([
    ['Deployment', undefined, { group: 'apps', plural: 'deployments', singular: 'deployment', namespaced: true }],
    ['pvc', undefined, { group: '', plural: 'persistentvolumeclaims', singular: 'persistentvolumeclaim', namespaced: true }],
    ['no', undefined, { group: '', plural: 'nodes', singular: 'node', namespaced: false }],
    ['clusters.postgresql.cnpg.io', undefined, { group: 'postgresql.cnpg.io', plural: 'clusters', singular: 'cluster', namespaced: true }],
    ['Cluster', 'cluster.x-k8s.io/v1beta1', { group: 'cluster.x-k8s.io', plural: 'clusters', singular: 'cluster', namespaced: true }],
    ['NetworkPolicy', 'crd.projectcalico.org/v1', { group: 'crd.projectcalico.org', plural: 'networkpolicies', singular: 'networkpolicy', namespaced: true }],
  ])('%s of %s is known without a server', (kind, apiVersion, known) => expect(kindOf(kind, apiVersion)).toEqual(known));

  it('gives the object that a watcher sees, and the rule that allows it', () => {
    const object = { kubernetes: 'cluster', kind: 'deploy', name: 'web' };
    expect(changeOf(object)).toEqual({ system: 'kubernetes:cluster', object: 'deployment */web' });
    expect(changeOf({ ...object, namespace: 'shop' })).toEqual({ system: 'kubernetes:cluster', object: 'deployment shop/web' });
    expect(changeOf({ ...object, kind: 'pv', name: { unknown: 'steps.a.volume' } })).toEqual({ system: 'kubernetes:cluster', object: 'persistentvolume <steps.a.volume>' });
    expect(rightOf({ ...object, namespace: 'shop' }, ['get', 'patch'], { subresource: 'scale' })).toEqual({ system: 'kubernetes', connection: 'cluster', verbs: ['get', 'patch'], apiGroup: 'apps', resource: 'deployments/scale', namespace: 'shop', names: ['web'] });
    expect(rightOf({ ...object, kind: 'Node' }, ['list'], { named: false })).toMatchObject({ scope: 'cluster', resource: 'nodes' });
  });
});

describe('a JSONPath', () => {
  const object = { metadata: { annotations: { 'a.b/c': 'x' } }, spec: { ports: [{ name: 'http', port: 80 }, { name: 'https', port: 443 }] }, status: { conditions: [{ type: 'Ready', status: 'True' }, { type: 'Idle', status: 'False' }], 'odd key': 1 } };
  it.each([
    ['{.spec.ports[0].port}', '80'],
    ['.spec.ports[-1].name', 'https'],
    ['spec.ports', JSON.stringify(object.spec.ports)],
    ['{.status.conditions[?(@.type=="Ready")].status}', 'True'],
    ["{.status.conditions[?(@.type=='Idle')].status}", 'False'],
    ['{.spec.ports[?(@.port==443)].name}', 'https'],
    ['{.metadata.annotations.a\\.b/c}', 'x'],
    ["{.metadata.annotations['a.b/c']}", 'x'],
    ["{.status['odd key']}", '1'],
    ['{.status.nothing.more}', undefined],
    ['{.constructor}', undefined],
  ])('%s is %s', (path, text) => expect(textAt(object, path)).toBe(text));

  it('gives all that it leads to, and says where it cannot be read', () => {
    expect(valuesAt(object, '{.spec.ports[*].port}')).toEqual([80, 443]);
    expect(() => textAt(object, '{.spec..port}')).toThrow(/cannot be read from "\.\.port}?/);
    expect(() => textAt(object, '{range .items}')).toThrow(/cannot be read/);
  });
});

it('what an object had comes back by one merge patch, without status and what the server sets', () => {
  const before = { metadata: { name: 'a', uid: '1', resourceVersion: '5', labels: { keep: 'k', gone: 'g' } }, spec: { list: [1, 2], same: true }, status: { ready: 1 } };
  const after = { metadata: { name: 'a', uid: '1', resourceVersion: '6', labels: { keep: 'k', new: 'n' } }, spec: { list: [3], same: true, added: {} }, status: { ready: 2 } };
  expect(mergePatchBack(before, after)).toEqual({ metadata: { labels: { gone: 'g', new: null } }, spec: { list: [1, 2], added: null } });
  expect(mergePatchBack(before, { ...before, status: {}, metadata: { ...before.metadata, resourceVersion: '9' } })).toBeUndefined();
});

it('a status that the controller wrote before it saw the last change is no answer', () => {
  const object = (observedGeneration: number | undefined, extra = {}) => ({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x', generation: 3, ...extra }, status: { observedGeneration, conditions: [{ type: 'Ready', status: 'True' }] } });
  expect(hasCondition(object(3), 'Ready', 'True')).toBe(true);
  expect(hasCondition(object(undefined), 'Ready', 'True')).toBe(true);
  expect(hasCondition(object(2), 'Ready', 'True')).toBe(false);
  expect(hasCondition(object(3, { deletionTimestamp: 'now' }), 'Ready', 'True')).toBe(false);
});

it('the mark is on what the run makes and on what controllers make of it, and fits a label', () => {
  const template = { metadata: { labels: { app: 'db' } }, spec: {} };
  const manifest = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db' }, spec: { template, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] } };
  const label = { 'muster.dev/run': 'run-1' };
  expect(marked(manifest, 'run-1')).toMatchObject({ metadata: { name: 'db', labels: label }, spec: { template: { metadata: { labels: { app: 'db', ...label } } }, volumeClaimTemplates: [{ metadata: { name: 'data', labels: label } }] } });
  expect(marked({ apiVersion: 'acme/v1', kind: 'Report', metadata: { name: 'r' }, spec: { template: { title: 'x' } } }, 'run-1')['spec']).toEqual({ template: { title: 'x' } });
  const long = `20260101T000000Z-${'n'.repeat(63)}-abcdef`;
  expect(runMark(long)).toMatch(/^[A-Za-z0-9][A-Za-z0-9-]{61}[A-Za-z0-9]$/);
  expect(runMark(`${long}1`)).not.toBe(runMark(long));
});
