import { Type } from 'typebox';
import type { AuditPlace } from '../../clients/audit/port.js';
import { defineWatcher, type WatchContext } from '../../engine/define-watcher.js';
import { StepError } from '../../engine/errors.js';
import { ConnectionName, strict } from '../../engine/schema.js';
import { auditRights, auditSource, inWords, placeOf } from './lib/audit-source.js';
import { WatchedCluster } from './lib/watch-cluster.js';
import { AuditTrail } from './lib/watch-trail.js';

export const watcher = defineWatcher({
  type: 'k8s.changes',
  summary:
    'Sees every object in the namespaces of the boundary, custom resources too, and the cluster-scoped objects named there, being made, changed or removed by others than this run: a list, then a watch from its version on. An object says which field manager wrote; who deleted something, and `kubectl exec`, only an audit log says.',
  input: Type.Object(
    {
      audit: Type.Optional(auditSource),
      auditOf: Type.Optional(ConnectionName('kubernetes', 'The cluster whose API server is audited there; needed where the environment has several')),
      kinds: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Plural names of the kinds to watch; default: all that can be. Give them where the role of the drill may not read everything' })),
    },
    strict,
  ),
  permissions: ({ kinds, audit }) => [...(kinds ?? ['*']).map((resource) => ({ system: 'kubernetes', connection: '*', verbs: ['list', 'watch'], apiGroup: '*', resource }) as const), ...auditRights(audit)],
  examples: [
    { title: 'By the audit log, on the machine of the API server', with: { audit: { file: '/var/log/kubernetes/audit.log' } } },
    { title: 'By what the API server sends (--audit-webhook-config-file)', with: { audit: { webhook: { host: '10.0.0.7', port: 9443, tls: { cert: '/etc/muster/tls.crt', key: '/etc/muster/tls.key' }, tokenFrom: 'MUSTER_AUDIT_TOKEN' } } } },
    { title: 'By the audit log of EKS; with `settle: 5m`', with: { audit: { cloudwatch: { connection: 'aws', cluster: 'staging' } } } },
  ],
  plan: ({ audit }) => ({
    does: `Watches every kind in the namespaces of the boundary, and the cluster-scoped objects named there${audit === undefined ? '' : `; ${inWords(audit).does} for who did what, and leaves marks in it that prove it whole`}`,
    calls: ['list and watch of every kind that can be', ...(audit === undefined ? [] : inWords(audit).calls)],
  }),
  async preflight({ audit }, ctx) {
    if (audit === undefined) return [];
    return [{ id: 'audit source', result: 'passed', detail: await ctx.ports.audit.source(placeOf(audit), { namespaces: [], resources: [] }).check() }];
  },
  async begin({ audit, auditOf, kinds }, ctx) {
    const life = new AbortController();
    const signal = AbortSignal.any([life.signal, ctx.signal]);
    const clusters = [...ctx.world.connections].filter(([, { kind }]) => kind === 'kubernetes').map(([name, connection]) => new WatchedCluster(name, connection, kinds, ctx));
    const audited = audit === undefined ? [] : auditedOf(clusters, auditOf);
    const trail = audit === undefined ? undefined : trailOf(placeOf(audit), audited, ctx);
    const stop = async (): Promise<void> => {
      life.abort();
      await Promise.all([trail?.stop(), ...clusters.map((cluster) => cluster.ended())]);
    };
    try {
      await trail?.begin(signal);
      await Promise.all(clusters.map((cluster) => cluster.begin(audited.includes(cluster) ? trail : undefined, signal)));
    } catch (error) {
      await stop();
      throw error;
    }
    return {
      async end(settleMs) {
        await trail?.close();
        await ctx.clock.sleep(settleMs, ctx.signal);
        let compared = 0;
        for (const cluster of clusters) compared += await cluster.compare();
        await trail?.end(settleMs, ctx.signal);
        for (const cluster of clusters) cluster.tellUnexplained();
        return compared;
      },
      stop,
    };
  },
});

/** One source is of one API server: the connections that lead to it. */
function auditedOf(clusters: readonly WatchedCluster[], name: string | undefined): readonly WatchedCluster[] {
  const meant = name === undefined ? clusters : clusters.filter((each) => each.name === name);
  const [uid, ...others] = new Set(meant.map(({ cluster }) => cluster.uid));
  if (others.length > 0) throw new StepError('audit-unclear', 'the environment has several clusters: `auditOf` must say which one is audited there');
  return clusters.filter(({ cluster }) => cluster.uid === uid);
}

function trailOf(place: AuditPlace, clusters: readonly WatchedCluster[], ctx: WatchContext): AuditTrail | undefined {
  const [first] = clusters;
  if (first === undefined) return undefined;
  const places = clusters.map(({ audited }) => audited);
  const source = ctx.ports.audit.source(place, { namespaces: [...new Set(places.flatMap(({ namespaces }) => namespaces))], resources: [...new Set(clusters.flatMap(({ clusterScoped }) => clusterScoped))] });
  return new AuditTrail({ source, cluster: first.cluster, places }, ctx);
}
