import { Type, type Static } from 'typebox';
import { defineProvisioner, type ConnectionContext, type PreflightCheck } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { uidOf, answered } from '../kubernetes/client.js';
import type { KubernetesDetails } from '../kubernetes/details.js';
import { kubeconfigFiles, openContext, serverOf } from '../kubernetes/kubeconfig.js';
import { Transport } from '../kubernetes/transport.js';
import { checkKubernetesRights } from './lib/check-kubernetes.js';

const input = Type.Object(
  {
    kubeconfig: Type.Optional(Type.String({ pattern: '^[/~]', description: 'The file; default: the files of KUBECONFIG, else ~/.kube/config' })),
    context: Type.String({ minLength: 1, description: 'The context to use; the current one never is' }),
    namespace: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$', description: 'Where steps look when they name none' }),
    uid: Type.Optional(Type.String({ minLength: 1, description: 'uid of the namespace kube-system, by which the cluster is known: kubectl get namespace kube-system -o jsonpath={.metadata.uid}' })),
  },
  strict,
);

export const provisioner = defineProvisioner({
  type: 'kubeconfig',
  kinds: ['kubernetes'],
  summary: 'A Kubernetes cluster that is there already, by one context of a kubeconfig. Credentials are those of that context.',
  input,
  protects: (given) => [`kubernetes:${serverOf(kubeconfigFiles(given.kubeconfig), given.context) ?? given.context}:${given.namespace}`],
  plan(given) {
    const server = serverOf(kubeconfigFiles(given.kubeconfig), given.context);
    return { does: `Uses the namespace ${given.namespace} of the cluster that the context ${given.context} leads to${server === undefined ? '' : ` (${server})`}`, calls: [] };
  },
  existing: async (given) => ({ ...(await detailsOf(given, AbortSignal.timeout(existingMs), { add: () => undefined })) }),
  preflight: check,
  provision: async (given, ctx) => ({ ...(await detailsOf(given, ctx.signal, { add: (secret) => ctx.secret(secret) })) }),
});

const existingMs = 20_000;

/** Asks the cluster who it is. Throws StepError. */
async function detailsOf({ kubeconfig, context, namespace, uid: expected }: Static<typeof input>, signal: AbortSignal, secrets: { add(secret: string): void }): Promise<KubernetesDetails> {
  const files = kubeconfigFiles(kubeconfig);
  const opened = await openContext(files, context);
  const transport = new Transport(opened, secrets);
  try {
    const uid = await answered(() => uidOf(transport, signal));
    if (expected !== undefined && expected !== uid) throw new StepError('k8s-other-cluster', `the context ${context} (${opened.server}) leads to the cluster ${uid}; the environment says ${expected}`);
    return { kubeconfig: files, context, server: opened.server, uid, namespace };
  } finally {
    transport.close();
  }
}

async function check(given: Static<typeof input>, ctx: ConnectionContext): Promise<readonly PreflightCheck[]> {
  const cluster = ctx.ports.kubernetes.cluster(ctx.connection);
  const version = await cluster.version();
  const pinned = given.uid === undefined ? `; to hold it to this cluster, the environment would say uid: ${cluster.uid}` : '';
  const found = await cluster.find({ kind: 'Namespace', apiVersion: 'v1', name: given.namespace });
  return [
    { id: 'cluster', result: 'passed', detail: `Kubernetes ${version} at ${cluster.server}, cluster ${cluster.uid}${pinned}` },
    found === undefined ? { id: 'namespace', result: 'failed', detail: `there is no namespace ${given.namespace}` } : { id: 'namespace', result: 'passed', detail: `the namespace ${given.namespace} is there` },
    ...(await checkKubernetesRights(cluster, ctx.kubernetesRights)),
  ];
}
