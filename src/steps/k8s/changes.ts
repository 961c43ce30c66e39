import { Type } from 'typebox';
import { defineWatcher } from '../../engine/define-watcher.js';
import { strict } from '../../engine/schema.js';
import { WatchedCluster } from './lib/watch-cluster.js';

export const watcher = defineWatcher({
  type: 'k8s.changes',
  summary:
    'Sees every object in the namespaces of the boundary, custom resources too, and the cluster-scoped objects named there, being made, changed or removed by others than this run: a list, then a watch from its version on. An object says which field manager wrote; who deleted something, and `kubectl exec`, only an audit log says.',
  input: Type.Object(
    {
      audit: Type.Optional(Type.String({ pattern: '^/', description: 'File of audit.k8s.io/v1 events, one JSON object a line, as the API server writes it (--audit-log-path). It says who, by which verb, and when to the microsecond' })),
      kinds: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Plural names of the kinds to watch; default: all that can be. Give them where the role of the drill may not read everything' })),
    },
    strict,
  ),
  permissions: ({ kinds }) => (kinds ?? ['*']).map((resource) => ({ system: 'kubernetes', connection: '*', verbs: ['list', 'watch'], apiGroup: '*', resource })),
  examples: [{ title: 'By an audit log', with: { audit: '/var/log/kubernetes/audit.log' } }],
  plan: ({ audit }) => ({
    does: `Watches every kind in the namespaces of the boundary, and the cluster-scoped objects named there${audit === undefined ? '' : `; reads ${audit} for who did what`}`,
    calls: ['list and watch of every kind that can be'],
  }),
  async begin(input, ctx) {
    const life = new AbortController();
    const signal = AbortSignal.any([life.signal, ctx.signal]);
    const clusters = [...ctx.world.connections].filter(([, { kind }]) => kind === 'kubernetes').map(([name, connection]) => new WatchedCluster(name, connection, input, ctx));
    try {
      await Promise.all(clusters.map((cluster) => cluster.begin(signal)));
    } catch (error) {
      life.abort();
      throw error;
    }
    return {
      async end(settleMs) {
        await ctx.clock.sleep(settleMs, ctx.signal);
        let compared = 0;
        for (const cluster of clusters) compared += await cluster.end();
        return compared;
      },
      async stop() {
        life.abort();
        await Promise.all(clusters.map((cluster) => cluster.ended()));
      },
    };
  },
});
