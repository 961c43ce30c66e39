import type { IncomingMessage } from 'node:http';
import { messageOf, StepError } from '../../engine/errors.js';
import { answerError, type Status } from './errors.js';
import { linesOf } from './lines.js';
import { listAll } from './lists.js';
import { acceptOf, objectOf } from './objects.js';
import type { Place } from './place.js';
import { Patience } from './patience.js';
import type { WatchEvent, WatchOptions } from './port.js';
import type { Session } from './session.js';

/** Each stream is renewed after this time: a connection that died without a word is noticed then. */
const renewalSeconds = 60;
const graceMs = 5_000;

interface Line {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

/** What happens to the objects of one place. Ends when `signal` is aborted; throws StepError when it cannot go on. */
export async function* watchObjects(session: Session, place: Place, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent> {
  const selected: WatchOptions = options.name === undefined ? options : { ...options, fieldSelector: `metadata.name=${options.name}` };
  let version = options.from;
  let interrupted = false;
  let patience = new Patience(session.scope.phase, signal);
  try {
    while (!signal.aborted) {
      if (version === undefined) {
        const list = await listAll(session, place, selected, signal);
        yield { type: 'listed', ...list };
        version = list.resourceVersion;
      }
      let response: IncomingMessage;
      try {
        response = await session.stream(streamOf(place, selected, version), signal);
      } catch (error) {
        if (!isExpired(error)) throw error;
        yield gap(version);
        [version, interrupted] = [undefined, false];
        continue;
      }
      if (interrupted) yield { type: 'resumed' };
      interrupted = false;
      const deadline = setTimeout(() => response.destroy(new Error('the API server has been silent')), renewalSeconds * 1000 + graceMs);
      try {
        for await (const text of linesOf(response)) {
          const line = JSON.parse(text) as Line;
          if (line.type === 'ERROR') throw statusError(line.object as Status, place);
          const object = objectOf(line.object, place.served, options);
          version = object.metadata.resourceVersion ?? version;
          patience = new Patience(session.scope.phase, signal);
          if (line.type !== 'BOOKMARK') yield { type: kinds[line.type], object };
        }
      } catch (error) {
        if (signal.aborted) return;
        if (isExpired(error)) {
          yield gap(version);
          version = undefined;
        } else if (error instanceof StepError && !error.retryable) throw error;
        else {
          if (!(error instanceof StepError)) session.client.lost();
          interrupted = true;
          const detail = `${error instanceof StepError ? 'the API server ended it' : 'the connection was lost'}: ${messageOf(error)}`;
          yield { type: 'interrupted', detail };
          await patience.afterLoss(() => new StepError('k8s-unreachable', `watch ${place.named(options.name)}: ${detail}`, { retryable: true }));
        }
      } finally {
        clearTimeout(deadline);
        response.destroy();
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const kinds = { ADDED: 'added', MODIFIED: 'modified', DELETED: 'deleted' } as const;

function streamOf(place: Place, options: WatchOptions, resourceVersion: string) {
  const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds: renewalSeconds, labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  return place.request({ method: 'GET', query, effect: 'read', repeatable: true, verb: 'watch', ...acceptOf(options, 'PartialObjectMetadata') });
}

function statusError(status: Status, place: Place): StepError {
  return answerError(status.code ?? 500, status, `watch ${place.named(undefined)}`);
}

function isExpired(error: unknown): boolean {
  return error instanceof StepError && error.code === 'k8s-expired';
}

function gap(version: string): WatchEvent {
  return { type: 'gap', detail: `the API server no longer has what happened since resource version ${version}` };
}
