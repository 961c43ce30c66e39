import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** Who may call the API server from the start: the token file is read once. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly token: string;
}

const masters = ['system:masters'];

/** Users by the short names that tests call them by. */
export type Users = Readonly<Record<string, User>>;

/**
 * `admin`, `alice` and `bob` may do everything, and so may `gitops` and `autoscaler`, who bear the names of controllers; `drill` may do
 * nothing until a test binds a role to the user `muster-drill`.
 */
export function makeUsers(nodes: readonly string[]): Users {
  const user = (name: string, groups: readonly string[]): User => ({ name, groups, token: randomBytes(16).toString('hex') });
  return {
    admin: user('admin', masters),
    alice: user('alice', masters),
    bob: user('bob', masters),
    gitops: user('system:serviceaccount:argocd:argocd-application-controller', masters),
    autoscaler: user('system:serviceaccount:kube-system:horizontal-pod-autoscaler', masters),
    attacher: user('system:serviceaccount:kube-system:ebs-csi-controller-sa', masters),
    cnpg: user('system:serviceaccount:cnpg-system:cnpg-manager', masters),
    'cnpg-instance': user('system:serviceaccount:databases:app-db', masters),
    'cnpg-kubelet': user('system:node:cnpg-stand-in', masters),
    cloud: user('eks:cloud-controller-manager', masters),
    drill: user('muster-drill', ['drills']),
    'controller-manager': user('system:kube-controller-manager', []),
    scheduler: user('system:kube-scheduler', []),
    ...Object.fromEntries(nodes.map((node) => [`node ${node}`, user(`system:node:${node}`, masters)])),
  };
}

/** In the form of --token-auth-file. */
export function tokenFile(users: Users): string {
  return Object.values(users).map(({ token, name, groups }) => `${token},${name},${name}${groups.length === 0 ? '' : `,"${groups.join(',')}"`}\n`).join('');
}

/** Writes a kubeconfig with one context. */
export function writeKubeconfig(file: string, options: { readonly server: string; readonly caFile: string; readonly token: string; readonly context: string; readonly user: string; readonly namespace?: string }): void {
  const { server, caFile, token, context, user, namespace } = options;
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: context, cluster: { server, 'certificate-authority-data': readFileSync(caFile).toString('base64') } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: context, context: { cluster: context, user, ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': context,
  };
  writeFileSync(file, stringify(document), { mode: 0o600 });
}

export const issuer = 'https://kubernetes.default.svc';

/** The pair of files that service account tokens are signed and checked with. */
export function writeServiceAccountKeys(folder: string): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs1', format: 'pem' } });
  const files = { privateKey: join(folder, 'sa.key'), publicKey: join(folder, 'sa.pub') };
  writeFileSync(files.privateKey, privateKey, { mode: 0o600 });
  writeFileSync(files.publicKey, publicKey);
  return files;
}

/** How long after its end the API server still takes a token, for clocks that differ. */
const leeway = 60;

/**
 * A service account's token as the API server itself would issue it; TokenRequest gives none that ends in less than ten minutes. It is
 * taken for `seconds`, and up to ten more while the API server remembers that it was good.
 */
export function signToken(privateKeyFile: string, account: { readonly namespace: string; readonly name: string; readonly uid: string }, seconds: number): string {
  const now = Math.floor(Date.now() / 1000) - leeway;
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { namespace, name, uid } = account;
  const claims = { aud: [issuer], iss: issuer, iat: now, nbf: now, exp: now + seconds, sub: `system:serviceaccount:${namespace}:${name}`, 'kubernetes.io': { namespace, serviceaccount: { name, uid } } };
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(readFileSync(privateKeyFile), 'base64url')}`;
}
