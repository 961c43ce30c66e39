import { StepError } from '../../engine/errors.js';
import type { Discovery } from './discovery.js';
import { Place } from './place.js';
import type { Session } from './session.js';

/** In the API version that the server itself says it takes evictions in. False when the pod is gone. */
export async function evict(session: Session, discovery: Discovery, pod: { readonly namespace?: string; readonly name: string }, { dryRun = false, uid, gracePeriodSeconds }: { readonly dryRun?: boolean; readonly uid?: string; readonly gracePeriodSeconds?: number } = {}): Promise<boolean> {
  const place = await Place.of(session, discovery, { kind: 'Pod', apiVersion: 'v1', ...(pod.namespace === undefined ? {} : { namespace: pod.namespace }) });
  const apiVersion = place.served.subresourceVersions.get('eviction');
  if (apiVersion === undefined) throw new StepError('k8s-no-such-kind', 'the API server takes no evictions');
  const deleteOptions = { ...(uid === undefined ? {} : { preconditions: { uid } }), ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }), ...(dryRun ? { dryRun: ['All'] } : {}) };
  const body = { apiVersion, kind: 'Eviction', metadata: { name: pod.name, namespace: place.namespace }, deleteOptions };
  try {
    await session.json(place.request({ method: 'POST', name: pod.name, subresource: 'eviction', query: dryRun ? { dryRun: 'All' } : {}, body, effect: dryRun ? 'read' : 'destroy', repeatable: uid !== undefined, verb: 'evict' }));
    return true;
  } catch (error) {
    if (error instanceof StepError && error.code === 'k8s-not-found') return false;
    throw error;
  }
}
