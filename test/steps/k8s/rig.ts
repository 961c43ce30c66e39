import type { CleanupCall, PreflightCheck, StepContext, StepDefinition } from '../../../src/engine/define-step.js';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import type { KubernetesCluster } from '../../../src/clients/kubernetes/port.js';
import { createScope } from '../../../src/engine/run/scope.js';
import type { TSchema } from 'typebox';
import { guardOf, worldOf, type ConnectionOptions } from '../../components/kubernetes/connection.js';
import type { Cluster } from '../../components/kubernetes/index.js';
import { portsOnly } from '../../components/ports.js';
import { contextFor, type Told } from '../lib/context.js';

interface Registered {
  readonly call: CleanupCall;
  identity?: Record<string, unknown>;
  done: boolean;
}

/** Runs steps on a real cluster, under the guard of an environment whose boundary is `namespace` and what `clusterScoped` names. */
export interface StepRig {
  readonly runId: string;
  readonly k8s: KubernetesCluster;
  readonly told: readonly Told[];
  /** Cleanups that steps have registered, in order. */
  readonly cleanups: readonly Registered[];
  run(definition: StepDefinition, input: Record<string, unknown>, timeoutMs?: number): Promise<Record<string, unknown>>;
  preflight(definition: StepDefinition, input: Record<string, unknown>): Promise<readonly PreflightCheck[]>;
  /** Last in, first out; another process would do the same from the journal. */
  cleanUp(...definitions: readonly StepDefinition[]): Promise<void>;
}

export function stepRig(cluster: Cluster, options: ConnectionOptions & { readonly clusterScoped?: readonly string[] }): StepRig {
  const runId = `20260101T000000Z-rig-${Math.random().toString(16).slice(2, 8)}`;
  const world = worldOf(cluster, options);
  const guard = guardOf(world, [{ context: cluster.context, uid: cluster.uid, namespaces: [options.namespace], cluster: options.clusterScoped ?? [] }]);
  const shared = kubernetesShared();
  const cleanups: Registered[] = [];
  const told: Told[] = [];
  const contextOf = (phase: 'verify' | 'plan' | 'cleanup', signal: AbortSignal): StepContext => {
    const scope = createScope({ who: 'rig', phase, runId, signal, guard });
    const base = contextFor({ scope, signal });
    return {
      ...base,
      ports: portsOnly({ kubernetes: kubernetesPort(scope, world, shared) }),
      log: (line) => void told.push(['log', line]),
      evidence: (kind, data) => Promise.resolve(void told.push([`evidence ${kind}`, data])),
      defer(call) {
        const registered: Registered = { call, done: false };
        cleanups.push(registered);
        return Promise.resolve({ confirm: (identity) => Promise.resolve(void (registered.identity = identity)), done: () => Promise.resolve(void (registered.done = true)) });
      },
    };
  };
  return {
    runId,
    k8s: contextOf('verify', AbortSignal.timeout(300_000)).ports.kubernetes.cluster('k8s'),
    told,
    cleanups,
    run: async (definition, input, timeoutMs = 60_000) => (await definition.run({ kubernetes: 'k8s', ...input } as never, contextOf('verify', AbortSignal.timeout(timeoutMs)))) as Record<string, unknown>,
    preflight: async (definition, input) => (await definition.preflight?.({ kubernetes: 'k8s', ...input } as never, contextOf('plan', AbortSignal.timeout(30_000)))) ?? [],
    async cleanUp(...definitions) {
      for (const { call, identity, done } of cleanups.splice(0).toReversed()) {
        if (done) continue;
        const [type, name = ''] = call.uses.split('/');
        const cleanup = definitions.find((definition: StepDefinition<TSchema, TSchema>) => definition.type === type)?.cleanups?.[name];
        if (cleanup === undefined) throw new Error(`no cleanup ${call.uses}`);
        await cleanup.run(call.with, identity, contextOf('cleanup', AbortSignal.timeout(60_000)));
      }
    },
  };
}
