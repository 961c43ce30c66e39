import { describe, expect, it } from 'vitest';
import { outsideKubernetes, type KubernetesBoundary, type KubernetesTarget } from '../../../src/engine/guard/kubernetes.js';

const boundary: KubernetesBoundary[] = [
  { context: 'drill', server: 'https://api.drill.example:6443', uid: 'uid-1', namespaces: ['shop'], cluster: ['nodes/zone-a-*', 'persistentvolumes/muster-*-copy', 'volumeattachments.storage.k8s.io'] },
];
const target = (over: Partial<KubernetesTarget>): KubernetesTarget => ({ kind: 'kubernetes', connection: 'k8s', role: 'target', context: 'drill', server: 'https://api.drill.example:6443', uid: 'uid-1', resource: 'pods', ...over });
const why = (over: Partial<KubernetesTarget>, reads = false) => outsideKubernetes(boundary, target(over), reads)?.why;

describe('the boundary of a cluster', () => {
  it('lets namespaces and named objects of the cluster in', () => {
    expect(why({ namespace: 'shop', name: 'web' })).toBeUndefined();
    expect(why({ resource: 'nodes', name: 'zone-a-1' })).toBeUndefined();
    expect(why({ resource: 'persistentvolumes', name: 'muster-1-copy' })).toBeUndefined();
    expect(why({ resource: 'volumeattachments.storage.k8s.io', name: 'any' })).toBeUndefined();
    expect(why({ resource: 'nodes' }, true)).toBeUndefined();
    expect(why({ resource: 'namespaces', name: 'shop' }, true)).toBeUndefined();
    expect(why({ namespace: 'shop', server: 'https://API.drill.example:6443/' })).toBeUndefined();
  });

  it.each([
    ['another namespace', { namespace: 'kube-system', name: 'web' }, /namespace kube-system is outside/],
    ['a node that is not named', { resource: 'nodes', name: 'zone-b-1' }, /must be named/],
    ['a name that the pattern does not cover', { resource: 'persistentvolumes', name: 'muster-copy' }, /must be named/],
    ['a kind that is not named', { resource: 'clusterroles.rbac.authorization.k8s.io', name: 'muster-1-copy' }, /must be named/],
    ['altering all of a kind whose objects are named', { resource: 'nodes' }, /must be named/],
    ['altering the namespace itself', { resource: 'namespaces', name: 'shop' }, /must be named/],
    ['another context', { context: 'production', namespace: 'shop' }, /context production is outside/],
    ['another server', { server: 'https://api.production.example:6443', namespace: 'shop' }, /leads to https:\/\/api.production.example:6443/],
    ['another cluster behind the same address', { uid: 'uid-2', namespace: 'shop' }, /cluster uid-2; the boundary says .*uid-1/],
  ])('refuses %s', (_, over, reason) => expect(why(over)).toMatch(reason));

  it('lets a namespace that is named be read, and no other, and nothing be done to it', () => {
    expect(why({ resource: 'namespaces', name: 'shop' }, true)).toBeUndefined();
    expect(why({ resource: 'namespaces', name: 'kube-system' }, true)).toMatch(/must be named/);
    expect(why({ resource: 'namespaces', name: 'shop' })).toMatch(/must be named/);
  });

  it('says which line would allow it', () => {
    expect(outsideKubernetes(boundary, target({ namespace: 'other' }), true)?.allow).toEqual(['boundary: { kubernetes: [{ context: drill, uid: uid-1, namespaces: ["other"] }] }']);
  });
});
