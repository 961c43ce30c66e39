// In a process of its own: lists and watches every config map of a namespace and keeps them, as a change watcher does, and says how much
// memory that took.
import { kubernetesPort, kubernetesShared } from '../../../dist/src/clients/kubernetes/adapter.js';

const [details = '', many = '0'] = process.argv.slice(2);
const ended = new AbortController();
const connections = new Map([['k8s', { kind: 'kubernetes', role: 'source', provision: 'kubeconfig', details: JSON.parse(details) }]]);
const scope = { who: 'memory', phase: 'probe', runId: 'memory', signal: ended.signal, access: () => Promise.resolve() };
const cluster = kubernetesPort(scope, { connections, endpoints: new Map(), announceSwitch: () => Promise.resolve() }, kubernetesShared()).cluster('k8s');
const kept = new Map();
let most = 0;
const sampler = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5);
for await (const event of cluster.watch({ kind: 'ConfigMap' }, { labelSelector: 'app=many' }, ended.signal)) {
  if (event.type !== 'listed') continue;
  for (const object of event.items) kept.set(object.metadata.uid, object);
  if (kept.size === Number(many)) break;
}
clearInterval(sampler);
console.log(JSON.stringify({ watched: kept.size, rssMiB: Math.round(Math.max(most, process.memoryUsage.rss()) / 2 ** 20) }));
process.exit(0);
