import type { KubernetesCluster } from '../../../clients/kubernetes/port.js';
import type { PlanContext, PreflightCheck } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { knownText } from '../../../engine/plannable.js';
import { nameOf, objectStores, record, text, type ClusterFacts } from './cluster.js';
import { knownCluster } from './find.js';
import { inWordsOf, requireStore, type Store } from './store.js';

/** The store as the copy's namespace has it. A name that leads elsewhere there would restore something else. */
export async function storeThere(input: { readonly objectStore?: string }, source: ClusterFacts, from: KubernetesCluster, to: KubernetesCluster, namespace: string): Promise<Store> {
  const store = requireStore(source);
  const isSame = namespace === source.namespace && to.uid === from.uid;
  if (store.kind === 'in-tree' || (isSame && input.objectStore === undefined)) return store;
  const objectStore = input.objectStore ?? store.objectStore;
  const [own, there] = await Promise.all([from.get({ ...objectStores, namespace: source.namespace, name: store.objectStore }), to.find({ ...objectStores, namespace, name: objectStore })]);
  if (there === undefined) throw new StepError('no-object-store', `the namespace ${namespace} has no ObjectStore ${objectStore}, which the copy reads its backup from`, { hint: `Make one there that reads what ${source.namespace}/${store.objectStore} writes, or name it with \`objectStore\`.` });
  const placeOf = (object: typeof own) => ['destinationPath', 'endpointURL'].map((field) => text(record(record(object['spec'])['configuration'])[field]) ?? '').join(' ').trim();
  if (placeOf(own) !== placeOf(there)) throw new StepError('other-object-store', `the ObjectStore ${namespace}/${objectStore} leads to ${placeOf(there)}, that of ${nameOf(source)} to ${placeOf(own)}`);
  return { ...store, objectStore };
}

/** Can the copy read the store from where it is made? Known once its connection is provisioned. */
export async function checkStoreThere(asked: Readonly<Record<string, unknown>>, ctx: PlanContext): Promise<PreflightCheck[]> {
  const id = 'store for the copy';
  const [connection, into, objectStore] = [knownText(asked['kubernetes']), knownText(asked['into']), knownText(asked['objectStore'])];
  const facts = await knownCluster(asked, ctx);
  if (facts === undefined || connection === undefined || into === undefined || ctx.stage === undefined || ctx.stage === 'before') return [{ id, result: 'deferred', detail: 'where the copy is made is not known before the run' }];
  const place = ctx.ports.postgres.managed(into);
  try {
    const store = await storeThere(objectStore === undefined ? {} : { objectStore }, facts, ctx.ports.kubernetes.cluster(connection), ctx.ports.kubernetes.cluster(place.kubernetes), place.namespace);
    return [{ id, result: 'passed', detail: `the namespace ${place.namespace} reads ${inWordsOf(store)}` }];
  } catch (error) {
    if (!(error instanceof StepError) || !['no-object-store', 'other-object-store'].includes(error.code)) throw error;
    return [{ id, result: 'failed', detail: error.message }];
  }
}
