import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { Plan } from '../../src/engine/plan-document.js';
import type { Cluster, KubernetesObject, OwnCluster } from '../components/kubernetes/index.js';
import { muster, scratch, type DrillOptions } from './harness.js';

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A Role or ClusterRole as `muster permissions --only <cluster>` prints it. */
export interface Role extends KubernetesObject {
  readonly kind: 'Role' | 'ClusterRole';
  readonly rules: readonly Rule[];
}

/** The roles with one rule less, for each rule in turn that no other makes superfluous. */
export function withOneLess(roles: readonly Role[]): { readonly missing: Rule; readonly rest: readonly Role[] }[] {
  const all = roles.flatMap((role) => role.rules.map((missing) => ({ missing, rights: rightsIn({ ...role, rules: [missing] }), rest: roles.map((each) => (each === role ? { ...role, rules: role.rules.filter((rule) => rule !== missing) } : each)) })));
  return all.filter(({ rights, rest }) => !rights.every((right) => rest.flatMap(rightsIn).some((other) => covers(other, right))));
}

/** How preflight names one of the rights of a rule, or the call that needed it. */
export function naming({ verbs, resources }: Rule): RegExp {
  const kinds = resources.map((resource) => resource.split('/')[0]).join('|').replaceAll('*', '\\S+');
  return new RegExp(`(${verbs.join('|')}) .*(${kinds})`);
}

/** What another command than `run` prints for such a drill; throws what it says where it fails. */
export async function printed(command: string, { documents, set = {}, ...how }: DrillOptions, ...more: readonly string[]): Promise<string> {
  const folder = await scratch();
  const [runbook = '', environment = ''] = (await documents?.(folder)) ?? [];
  const values = Object.entries(set).flatMap(([input, value]) => ['--set', `${input}=${value}`]);
  const { code, stdout, stderr } = await muster(folder, [command, runbook, '--env', environment, ...values, ...more], how);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** What preflight found wrong, in what `muster plan --format json` prints: a line for each check. */
export function failedChecks(plan: string): string {
  const { observed } = JSON.parse(plan) as Plan;
  return observed.checks.filter(({ result }) => result === 'failed').map(({ id, detail }) => `${id}: ${detail}`).join('\n');
}

export function printedRoles(text: string): Role[] {
  return parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as Role]));
}

/** A service account that may do nothing but what it is granted. */
export interface Account {
  /** With its token. */
  readonly kubeconfig: string;
  /** Makes exactly these roles and binds them; what it was granted before is taken away. */
  grant(roles: readonly Role[]): Promise<void>;
  /** Which of the rights that these roles give it has not used since `since`, by the API server's audit log: `delete pods`, `get pods/exec db-0`. */
  unused(roles: readonly Role[], since: Date): string[];
}

const group = '/apis/rbac.authorization.k8s.io/v1';

export async function serviceAccount({ request }: Pick<Cluster, 'request'>, own: OwnCluster, namespace: string, name = 'drill'): Promise<Account> {
  await request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  const kubeconfig = own.kubeconfigWith(await own.expiringToken(namespace, name, 3600));
  let granted: string[] = [];
  return {
    kubeconfig,
    async grant(roles) {
      for (const path of granted.splice(0)) await request('DELETE', path);
      for (const { kind, metadata, rules } of roles) {
        const [place, plural, bindings] = kind === 'Role' ? [`${group}/namespaces/${metadata.namespace}`, 'roles', 'rolebindings'] : [group, 'clusterroles', 'clusterrolebindings'];
        await request('POST', `${place}/${plural}`, { metadata, rules });
        await request('POST', `${place}/${bindings}`, { metadata: { name: metadata.name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name }, subjects: [{ kind: 'ServiceAccount', name, namespace }] });
        granted.push(`${place}/${plural}/${metadata.name}`, `${place}/${bindings}/${metadata.name}`);
      }
    },
    unused(roles, since) {
      const calls = callsOf(own.auditLog, `system:serviceaccount:${namespace}:${name}`, since);
      // A wait lists first, and watches only while what it waits for is not there yet.
      const used = (right: Call) => calls.some((call) => covers(right, call) || (right.verb === 'watch' && covers({ ...right, verb: 'list' }, call)));
      return roles.flatMap((role) => rightsIn(role).filter((right) => !used(right)).map(inWords));
    },
  };
}

interface Call {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly apiGroup?: string; readonly resource?: string; readonly subresource?: string; readonly namespace?: string; readonly name?: string };
  readonly requestReceivedTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function callsOf(auditLog: string, username: string, since: Date): Call[] {
  const lines = readFileSync(auditLog, 'utf8').split('\n').filter((line) => line.endsWith('}') && line.includes(`"${username}"`));
  return lines.flatMap((line): Call[] => {
    const { verb, user, objectRef, requestReceivedTimestamp, annotations } = JSON.parse(line) as AuditEvent;
    if (user.username !== username || objectRef?.resource === undefined || new Date(requestReceivedTimestamp) < since) return [];
    if (annotations?.['authorization.k8s.io/decision'] !== 'allow') return [];
    const { apiGroup = '', resource, subresource, namespace, name } = objectRef;
    return [{ verb, group: apiGroup, resource: subresource === undefined ? resource : `${resource}/${subresource}`, namespace, name }];
  });
}

/** Of a role, one verb on one resource, and on one object where its name is given. A ClusterRole's hold in every namespace. */
function rightsIn({ metadata: { namespace }, rules }: Role): Call[] {
  return rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.flatMap((verb) => (resourceNames ?? [undefined]).map((name) => ({ verb, group, resource, namespace, name }))))),
  );
}

const covers = (right: Call, call: Call): boolean => is(right.verb, call.verb) && is(right.group, call.group) && is(right.resource, call.resource) && is(right.namespace, call.namespace) && is(right.name, call.name);
const is = (granted: string | undefined, asked: string | undefined): boolean => granted === undefined || granted === '*' || granted === asked;

const inWords = ({ verb, resource, name }: Call): string => `${verb} ${resource}${name === undefined ? '' : ` ${name}`}`;
