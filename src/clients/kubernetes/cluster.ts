import { StepError } from '../../engine/errors.js';
import { Discovery } from './discovery.js';
import { evict } from './evict.js';
import { execute } from './exec.js';
import { listAll, listPages } from './lists.js';
import { objectOf } from './objects.js';
import { Place } from './place.js';
import type { Collection, KubernetesCluster, KubernetesObject, Manifest, PatchOptions, ReadOptions, Reference, WriteOptions } from './port.js';
import { denied, leaveMark } from './review.js';
import type { Session } from './session.js';
import { watchObjects } from './watch.js';

export const fieldManager = 'muster';

const patchTypes = { merge: 'application/merge-patch+json', json: 'application/json-patch+json', strategic: 'application/strategic-merge-patch+json' } as const;

/** One cluster as the scope of `session` may use it. */
export function clusterOf(session: Session): KubernetesCluster {
  const discovery = new Discovery(session);
  const { context, server, uid, namespace } = session.client.details;
  const placeOf = (collection: Collection) => Place.of(session, discovery, collection);
  const writing = ({ dryRun = false }: { readonly dryRun?: boolean }) => ({ fieldManager, fieldValidation: 'Strict', ...(dryRun ? { dryRun: 'All' } : {}) });
  const effectOf = <E extends string>(effect: E, { dryRun = false }: { readonly dryRun?: boolean }): E | 'read' => (dryRun ? 'read' : effect);

  const get = async (reference: Reference, options: ReadOptions & { readonly subresource?: string } = {}): Promise<KubernetesObject> => {
    const place = await placeOf(reference);
    const value = await session.json(place.request({ method: 'GET', name: reference.name, ...subresourceOf(options), effect: 'read', repeatable: true }));
    return options.subresource === undefined ? objectOf(value, place.served, options) : (value as KubernetesObject);
  };

  const patch = async (reference: Reference, body: unknown, options: PatchOptions = {}): Promise<KubernetesObject> => {
    const place = await placeOf(reference);
    const type = options.type ?? 'merge';
    const request = place.request({
      method: 'PATCH',
      name: reference.name,
      ...subresourceOf(options),
      query: writing(options),
      contentType: patchTypes[type],
      body: options.uid === undefined || type === 'json' ? body : withUid(body, options.uid),
      effect: effectOf(options.effect ?? 'modify', options),
      repeatable: type !== 'json',
    });
    try {
      return objectOf(await session.json(request), place.served, {});
    } catch (error) {
      // Another uid is "immutable" to the server.
      if (error instanceof StepError && error.code === 'k8s-rejected' && /metadata\.uid|uid mismatch/i.test(error.message)) throw new StepError('k8s-conflict', error.message, { cause: error });
      throw error;
    }
  };

  const write = async (method: 'POST' | 'PUT', manifest: Manifest, options: WriteOptions = {}): Promise<KubernetesObject> => {
    const place = await placeOf({ ...manifest, ...namespaceOf(manifest) });
    const { name } = manifest.metadata;
    const request = place.request({ method, ...(method === 'POST' ? {} : { name }), ...subresourceOf(options), query: writing(options), body: manifest, effect: effectOf(method === 'POST' ? 'create' : 'modify', options), repeatable: false, verb: method === 'POST' ? 'create' : 'replace' });
    // The guard is to judge the object's own name, which is not part of the path that it is posted to.
    const target = request.target?.kind === 'kubernetes' ? { ...request.target, name } : request.target;
    return objectOf(await session.json({ ...request, ...(target === undefined ? {} : { target }), what: `${method === 'POST' ? 'create' : 'replace'} ${place.named(name)}` }), place.served, {});
  };

  return {
    context,
    server,
    uid,
    namespace,
    async version() {
      const { gitVersion } = (await session.json({ method: 'GET', path: '/version', what: 'ask for the version', effect: 'read', repeatable: true })) as { gitVersion: string };
      return gitVersion;
    },
    resource: (kind) => discovery.find(kind),
    async resources() {
      const { served, unavailable } = await discovery.all();
      return { resources: served.filter(({ verbs }) => verbs.includes('list')), unavailable };
    },
    get,
    async find(reference, options) {
      try {
        return await get(reference, options);
      } catch (error) {
        if (error instanceof StepError && error.code === 'k8s-not-found') return undefined;
        throw error;
      }
    },
    list: async (collection, options = {}) => listAll(session, await placeOf(collection), options, session.scope.signal),
    async *pages(collection, options = {}) {
      yield* listPages(session, await placeOf(collection), options);
    },
    async *watch(collection, options, signal) {
      yield* watchObjects(session, await placeOf(collection), options, AbortSignal.any([signal, session.scope.signal]));
    },
    async until(reference, look, signal) {
      const place = await placeOf(reference);
      const both = AbortSignal.any([signal, session.scope.signal]);
      for await (const event of watchObjects(session, place, { name: reference.name }, both)) {
        const seen = event.type === 'listed' ? [event.items[0]] : event.type === 'added' || event.type === 'modified' ? [event.object] : event.type === 'deleted' ? [undefined] : [];
        for (const object of seen) {
          const found = look(object);
          if (found !== undefined) return found;
        }
      }
      both.throwIfAborted();
      throw new StepError('k8s-error', `the watch of ${place.named(reference.name)} ended`);
    },
    async apply(manifest, options = {}) {
      const place = await placeOf({ ...manifest, ...namespaceOf(manifest) });
      const { force = false, effect = 'create' } = options;
      const request = place.request({ method: 'PATCH', name: manifest.metadata.name, ...subresourceOf(options), query: { ...writing(options), force }, contentType: 'application/apply-patch+yaml', body: manifest, effect: effectOf(effect, options), repeatable: true, verb: 'apply' });
      return objectOf(await session.json(request), place.served, options);
    },
    create: (manifest, options) => write('POST', manifest, options),
    replace: (manifest, options) => write('PUT', manifest, options),
    patch,
    async scale(reference, replicas, { dryRun = false, from } = {}) {
      const scale = await get(reference, { subresource: 'scale' });
      const before = (scale['spec'] as { replicas?: number } | undefined)?.replicas ?? 0;
      if (from !== undefined && from !== before) throw new StepError('k8s-conflict', `${reference.kind} ${reference.name} is asked for ${before} replicas, not ${from}`);
      await patch(reference, { spec: { replicas } }, { subresource: 'scale', dryRun });
      return { before };
    },
    async delete(reference, { dryRun = false, uid: expected, resourceVersion, gracePeriodSeconds, propagation = 'Background' } = {}) {
      const place = await placeOf(reference);
      const preconditions = { ...(expected === undefined ? {} : { uid: expected }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: propagation, preconditions, ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }), ...(dryRun ? { dryRun: ['All'] } : {}) };
      try {
        // The server reads the body; the query shows in audit logs that do not hold it.
        await session.json(place.request({ method: 'DELETE', name: reference.name, query: dryRun ? { dryRun: 'All' } : {}, body, effect: effectOf('destroy', { dryRun }), repeatable: expected !== undefined }));
        return true;
      } catch (error) {
        if (error instanceof StepError && error.code === 'k8s-not-found') return false;
        throw error;
      }
    },
    evict: (pod, options) => evict(session, discovery, pod, options),
    exec: (pod, argv, options, signal) => execute(session, discovery, pod, argv, options, AbortSignal.any([signal, session.scope.signal])),
    async logs(pod, { container, previous, tailLines, sinceSeconds } = {}) {
      const place = await placeOf({ kind: 'Pod', apiVersion: 'v1', ...namespaceOf({ metadata: pod }) });
      return session.text(place.request({ method: 'GET', name: pod.name, subresource: 'log', query: { container, previous, tailLines, sinceSeconds }, accept: '*/*', effect: 'read', repeatable: true, verb: 'read the log of' }));
    },
    leaveMark: (auditId) => leaveMark(session, auditId),
    denied: (questions) => denied(session, questions),
  };
}

function subresourceOf({ subresource }: { readonly subresource?: string }): { readonly subresource?: string } {
  return subresource === undefined ? {} : { subresource };
}

function namespaceOf({ metadata: { namespace } }: { readonly metadata: { readonly namespace?: string } }): { readonly namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function withUid(body: unknown, uid: string): unknown {
  const patch = typeof body === 'object' && body !== null ? (body as { metadata?: object }) : {};
  return { ...patch, metadata: { ...patch.metadata, uid } };
}
