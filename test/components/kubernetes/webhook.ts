import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import type { Cluster } from './index.js';

/**
 * A policy of the cluster, by a mutating admission webhook: whatever the API server is to store of these objects gets `patch` first. `resources`: plurals of
 * the core group.
 */
export async function enforcePolicy(cluster: Pick<Cluster, 'request' | 'folder'>, name: string, resources: readonly string[], patch: readonly object[]): Promise<{ stop(): Promise<void> }> {
  // The API server's own certificate, which is for 127.0.0.1 too.
  const [cert, key] = ['crt', 'key'].map((ending) => readFileSync(join(cluster.folder, `certificates/apiserver.${ending}`)));
  const server = createServer({ cert, key }, (incoming, outgoing) => {
    let text = '';
    incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    incoming.on('end', () => {
      const { apiVersion, kind, request } = JSON.parse(text) as { readonly apiVersion: string; readonly kind: string; readonly request: { readonly uid: string } };
      const response = { uid: request.uid, allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
      outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ apiVersion, kind, response }));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources }];
  const clientConfig = { url: `https://127.0.0.1:${address.port}/`, caBundle: cert?.toString('base64') };
  await cluster.request('POST', path, { metadata: { name }, webhooks: [{ name: `${name}.shop.example`, clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'], failurePolicy: 'Fail' }] });
  return {
    async stop() {
      await cluster.request('DELETE', `${path}/${name}`);
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
