import { request as httpsRequest, type RequestOptions } from 'node:https';
import { request as httpRequest } from 'node:http';

/** Why the API server refused. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly body: string, what: string) {
    super(`${what}: ${status} ${body}`);
  }
}

/** Calls the API server and resolves to the parsed answer. Throws ApiError for what is not 2xx. `type`: of the body; PATCH is a merge patch by default. */
export type Request = <T = KubernetesObject>(method: string, path: string, body?: unknown, type?: string) => Promise<T>;

/** What tests look at in objects of any kind. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string; readonly resourceVersion: string; readonly labels?: Record<string, string>; readonly annotations?: Record<string, string>; readonly finalizers?: string[]; readonly deletionTimestamp?: string };
  readonly spec?: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
  readonly items?: KubernetesObject[];
}

/** As the user of the current context of a kubeconfig, whichever way it logs in. From `userAgent` the API server takes the name of a field manager: what is before the slash. */
export async function requestsTo(kubeconfig: string, userAgent?: string): Promise<Request> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${kubeconfig} has no current context`);
  return async <T>(method: string, path: string, body?: unknown, type?: string): Promise<T> => {
    const url = new URL(path, cluster.server);
    const options: RequestOptions = { method };
    await config.applyToHTTPSOptions(options);
    const contentType = type ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = send(url, options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', reject);
      });
      sent.setHeader('accept', 'application/json');
      if (userAgent !== undefined) sent.setHeader('user-agent', userAgent);
      const said = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
      if (body !== undefined) sent.setHeader('content-type', contentType);
      // Node tells the length of no DELETE by itself, whose body would then be overlooked.
      sent.setHeader('content-length', Buffer.byteLength(said));
      sent.on('error', reject).end(said);
    });
    if (status < 200 || status > 299) throw new ApiError(status, text, `${method} ${path}`);
    return (text.startsWith('{') ? JSON.parse(text) : text) as T;
  };
}
