import { StepError } from '../../engine/errors.js';
import { acceptOf, objectOf } from './objects.js';
import type { Place } from './place.js';
import type { KubernetesObject, List, ListOptions } from './port.js';
import type { Session } from './session.js';

const pageSize = 500;

interface Page {
  readonly items: readonly KubernetesObject[];
  readonly resourceVersion: string;
  readonly next: string | undefined;
}

/** All of them as of one moment. */
export async function listAll(session: Session, place: Place, options: ListOptions, signal: AbortSignal): Promise<List> {
  for (;;) {
    const items: KubernetesObject[] = [];
    let next: string | undefined;
    let resourceVersion = '';
    try {
      do {
        const page = await onePage(session, place, options, next, signal);
        items.push(...page.items);
        ({ next, resourceVersion } = page);
      } while (next !== undefined);
      return { items, resourceVersion };
    } catch (error) {
      // The list was compacted away while it was read: from the start.
      if (!(error instanceof StepError) || error.code !== 'k8s-expired') throw error;
    }
  }
}

/** StepError `k8s-expired` (retryable) when the server has forgotten the list before its end. */
export async function* listPages(session: Session, place: Place, options: ListOptions): AsyncIterable<readonly KubernetesObject[]> {
  let next: string | undefined;
  do {
    const page = await onePage(session, place, options, next, session.scope.signal);
    yield page.items;
    ({ next } = page);
  } while (next !== undefined);
}

async function onePage(session: Session, place: Place, options: ListOptions, from: string | undefined, signal: AbortSignal): Promise<Page> {
  const query = { limit: pageSize, continue: from, labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  const answer = (await session.json(place.request({ method: 'GET', query, effect: 'read', repeatable: true, verb: 'list', ...acceptOf(options, 'PartialObjectMetadataList') }), signal)) as { items: unknown[] | null; metadata: { resourceVersion: string; continue?: string } };
  const { continue: next, resourceVersion } = answer.metadata;
  return { items: (answer.items ?? []).map((item) => objectOf(item, place.served, options)), resourceVersion, next: next === '' ? undefined : next };
}
