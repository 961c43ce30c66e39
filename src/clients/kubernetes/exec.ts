import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { messageOf, StepError } from '../../engine/errors.js';
import type { Discovery } from './discovery.js';
import { Place } from './place.js';
import type { ExecOptions, ExecResult } from './port.js';
import type { Session } from './session.js';
import { reasonOf } from './transport.js';

interface ExecStatus {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/**
 * Runs a command in a container, over a websocket. When `signal` is aborted the connection is ended; what the command does in the pod
 * then is up to its container runtime. Throws StepError `k8s-exec-failed` when it could not be run.
 */
export async function execute(session: Session, discovery: Discovery, pod: { readonly namespace?: string; readonly name: string }, argv: readonly string[], { container, stdin, effect }: ExecOptions, signal: AbortSignal): Promise<ExecResult> {
  const place = await Place.of(session, discovery, { kind: 'Pod', apiVersion: 'v1', ...(pod.namespace === undefined ? {} : { namespace: pod.namespace }) });
  const request = place.request({ method: 'GET', name: pod.name, subresource: 'exec', effect, repeatable: false, verb: 'run a command in' });
  if (request.target !== undefined) await session.scope.access(request.target, 'read');
  const login = await session.client.open(signal);
  if (request.target !== undefined && effect !== 'read') await session.scope.access(request.target, effect);
  const { Exec } = await import('@kubernetes/client-node');
  const [out, err] = [new PassThrough(), new PassThrough()];
  const read = Promise.all([text(out), text(err)]);
  const status = await new Promise<ExecStatus>((resolve, reject) => {
    const stop = () => reject(reasonOf(signal));
    signal.addEventListener('abort', stop, { once: true });
    const lost = () => reject(new StepError('k8s-exec-failed', `${request.what}: the connection ended before the command did`));
    const started = new Exec(login.config(session.scope.runId)).exec(place.namespace ?? '', pod.name, container ?? '', [...argv], out, err, stdin === undefined ? null : Readable.from([Buffer.from(stdin)]), false, resolve);
    started.then(
      (socket) => {
        socket.onclose = lost;
        // Without the farewell, which a command that does not end would not answer.
        const end = () => socket.terminate();
        if (signal.aborted) end();
        signal.addEventListener('abort', end, { once: true });
      },
      (error: unknown) => reject(new StepError('k8s-exec-failed', `${request.what}: ${whyOf(error)}`, { cause: error })),
    );
  }).catch((error: unknown) => {
    out.end();
    err.end();
    throw error;
  });
  const [stdout, stderr] = await read;
  return { exitCode: exitCodeOf(status, request.what), stdout, stderr };
}

function exitCodeOf({ status, message, details }: ExecStatus, what: string): number {
  if (status === 'Success') return 0;
  const code = Number(details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message);
  if (!Number.isInteger(code)) throw new StepError('k8s-exec-failed', `${what}: ${message ?? 'the node did not say why'}`, { hint: 'Does the node run containers, and does the image have the program?' });
  return code;
}

/** The websocket tells of a refusal only its status. */
function whyOf(error: unknown): string {
  const said = typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : messageOf(error);
  const status = /Unexpected server response: (\d+)/.exec(said)?.[1];
  if (status === '403') return 'forbidden (needs create on pods/exec, and get on clusters before 1.35)';
  if (status === '404') return 'there is no such pod';
  return status === undefined ? said : `the API server answered ${status}: the node could not be asked, or cannot run commands`;
}
