import { runLabel, runMark } from '../../../src/engine/mark.js';
import type { Cluster } from './index.js';

interface Resources {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
}

/** Everything in the cluster, of any kind, that bears the mark of the run, or of any: `ConfigMap shop/settings`. Nothing, once drills are over. */
export async function markedObjects({ request }: Pick<Cluster, 'request'>, runId?: string): Promise<string[]> {
  const selector = encodeURIComponent(runId === undefined ? runLabel : `${runLabel}=${runMark(runId)}`);
  const { groups } = await request<{ groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[] }>('GET', '/apis');
  const roots = ['/api/v1', ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const found = await Promise.all(
    roots.map(async (root) => {
      const { resources } = await request<Resources>('GET', root);
      const listed = resources.filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list'));
      return Promise.all(listed.map(async ({ name, kind }) => ((await request('GET', `${root}/${name}?labelSelector=${selector}`)).items ?? []).map(({ metadata }) => `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`)));
    }),
  );
  return found.flat(2);
}
