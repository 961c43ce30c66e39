import { appendFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProvisionContext } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import type { KubernetesCluster, KubernetesObject } from '../../kubernetes/port.js';

export const clusterKind = { kind: 'clusters.postgresql.cnpg.io' } as const;

/** What names a managed server: a Cluster and one of its Services. */
export interface Asked {
  readonly cluster: string;
  /** `rw`, `ro`, `r`, or the name of a Pooler's Service. */
  readonly service: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly database?: string;
  readonly secret?: string;
}

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string;
}

/** `orders-rw`; a Pooler's Service bears its own name. */
export function serviceName(cluster: string, service: string): string {
  return ['rw', 'ro', 'r'].includes(service) ? `${cluster}-${service}` : service;
}

/** Where clients reach the server, and as whom. Throws StepError where Service or Secret do not say. */
export async function loginOf(kubernetes: KubernetesCluster, namespace: string, asked: Asked): Promise<Login> {
  return { ...(await addressOf(kubernetes, namespace, asked)), ...(await credentialsOf(kubernetes, namespace, asked)) };
}

/** The environment's own address, else the Service's load balancer, else its ClusterIP, which is reached from inside the cluster only. */
async function addressOf(kubernetes: KubernetesCluster, namespace: string, { cluster, service, host, port }: Asked): Promise<{ readonly host: string; readonly port: number }> {
  if (host !== undefined && port !== undefined) return { host, port };
  const name = serviceName(cluster, service);
  const object = await kubernetes.get({ kind: 'services', apiVersion: 'v1', namespace, name });
  const found = serviceAddress(object);
  if (found === undefined) throw new StepError('no-address', `the Service ${namespace}/${name} has neither a load balancer's address nor a ClusterIP`, { hint: 'Give the connection `host` and `port`.' });
  return { host: host ?? found.host, port: port ?? found.port };
}

export function serviceAddress(service: KubernetesObject): { readonly host: string; readonly port: number } | undefined {
  const [spec, status] = [record(service['spec']), record(service['status'])];
  const [ingress] = list(record(status['loadBalancer'])['ingress']);
  const host = [ingress?.['ip'], ingress?.['hostname'], spec['clusterIP']].find((value): value is string => typeof value === 'string' && value !== '' && value !== 'None');
  const ports = list(spec['ports']);
  const port = (ports.find(({ name }) => name === 'postgres' || name === 'pgbouncer') ?? ports[0])?.['port'];
  return host === undefined ? undefined : { host, port: typeof port === 'number' ? port : 5432 };
}

/** The operator's own Secret of that user. */
async function credentialsOf(kubernetes: KubernetesCluster, namespace: string, { cluster, user, database, secret }: Asked): Promise<Pick<Login, 'user' | 'database' | 'password'>> {
  const name = secret ?? `${cluster}-${user === 'postgres' ? 'superuser' : 'app'}`;
  const object = await kubernetes.find({ kind: 'secrets', apiVersion: 'v1', namespace, name });
  if (object === undefined) {
    const hint = user === 'postgres' && secret === undefined ? 'The operator makes it where the Cluster says enableSuperuserAccess: true.' : 'Name another one with `secret`.';
    throw new StepError('no-secret', `there is no Secret ${namespace}/${name} with the password`, { hint });
  }
  const data = record(object['data']);
  const value = (key: string): string | undefined => {
    const encoded = data[key];
    return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('utf8') : undefined;
  };
  const password = value('password');
  const username = user ?? value('username');
  if (password === undefined || username === undefined) throw new StepError('no-secret', `the Secret ${namespace}/${name} has no username and password`);
  if (user !== undefined && value('username') !== undefined && value('username') !== user) throw new StepError('no-secret', `the Secret ${namespace}/${name} is that of another user than ${user}`, { hint: 'Name the right one with `secret`.' });
  const stored = value('dbname');
  return { user: username, password, database: database ?? (stored === undefined || stored === '*' ? 'app' : stored) };
}

/** Keeps the password where Muster's sessions and children find it: a 0600 file of the run's state, which goes with the run. */
export async function keepPassword(ctx: ProvisionContext, { host, port, user, password }: Login): Promise<string> {
  ctx.secret(password);
  const file = join(dirname(dirname(ctx.workDir)), 'pgpass');
  const escaped = [host, String(port), '*', user, password].map((field) => (field === '*' ? field : field.replaceAll('\\', '\\\\').replaceAll(':', '\\:')));
  await appendFile(file, `${escaped.join(':')}\n`, { mode: 0o600 });
  return file;
}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(record) : [];
}
