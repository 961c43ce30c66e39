import { PassThrough } from 'node:stream';

/** What `kubectl exec POD -- ARGV` asks of the API server, as the user of a kubeconfig. Resolves to the status at its end. */
export async function execAs(kubeconfig: string, namespace: string, pod: string, argv: string[]): Promise<string | undefined> {
  const { Exec, KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const discard = () => new PassThrough().resume();
  return new Promise((resolve, reject) => {
    new Exec(config).exec(namespace, pod, 'app', argv, discard(), discard(), null, false, ({ status }) => resolve(status)).catch(reject);
  });
}
