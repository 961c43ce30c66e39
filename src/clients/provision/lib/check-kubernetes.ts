import type { NeededRight, PreflightCheck } from '../../../engine/define-step.js';
import type { AccessQuestion, KubernetesCluster } from '../../kubernetes/port.js';

/** One failed check for each right that the caller lacks, named with who needs it; one passed when none is. */
export async function checkKubernetesRights(cluster: KubernetesCluster, rights: readonly NeededRight<'kubernetes'>[]): Promise<PreflightCheck[]> {
  const questions = rights.flatMap(({ right, by }) => questionsOf(right, cluster.namespace).map((question) => ({ question, by })));
  const unique = new Map<string, { readonly question: AccessQuestion; readonly by: Set<string> }>();
  for (const { question, by } of questions) {
    const key = JSON.stringify(question);
    const known = unique.get(key) ?? { question, by: new Set() };
    for (const who of by) known.by.add(who);
    unique.set(key, known);
  }
  if (unique.size === 0) return [];
  const denied = await cluster.denied([...unique.values()].map(({ question }) => question));
  if (denied.length === 0) return [{ id: 'rights', result: 'passed', detail: `all ${unique.size} rights that the steps need are granted` }];
  return denied.map(({ question, reason }) => ({ id: `right to ${inWords(question)}`, result: 'failed', detail: `not granted${reason === '' ? '' : ` (${reason})`}; needed by ${[...(unique.get(JSON.stringify(question))?.by ?? [])].join(', ')}` }));
}

function questionsOf({ verbs, apiGroup, resource, namespace, scope, names }: NeededRight<'kubernetes'>['right'], own: string): AccessQuestion[] {
  const place = scope === 'cluster' ? {} : { namespace: namespace ?? own };
  return verbs.flatMap((verb) => {
    const limited = verb === 'create' || names === undefined ? [undefined] : names;
    return limited.map((name) => ({ verb, group: apiGroup, resource, ...place, ...(name === undefined ? {} : { name }) }));
  });
}

function inWords({ verb, group, resource, namespace, name }: AccessQuestion): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${name === undefined ? '' : ` ${name}`}${namespace === undefined ? ' in the whole cluster' : ` in ${namespace}`}`;
}
