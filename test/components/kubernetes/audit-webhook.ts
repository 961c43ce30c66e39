import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** What an administrator prepares so that an API server sends its audit events to 127.0.0.1. */
export interface AuditWebhookConfig {
  readonly cert: string;
  readonly key: string;
  readonly token: string;
  /** Of kube-apiserver. */
  readonly flags: readonly string[];
  remove(): void;
}

/** By TLS, with a bearer token; what cannot be delivered is given up within seconds. */
export function auditWebhookConfig(port: number, mode: 'batch' | 'blocking' = 'batch'): AuditWebhookConfig {
  const folder = mkdtempSync(join(tmpdir(), 'muster-audit-webhook-'));
  const [cert, key, file] = [join(folder, 'tls.crt'), join(folder, 'tls.key'), join(folder, 'webhook.yaml')];
  const token = 'c4n4ry-of-the-webhook';
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'muster', cluster: { server: `https://127.0.0.1:${port}/audit`, 'certificate-authority-data': readFileSync(cert).toString('base64') } }],
    users: [{ name: 'muster', user: { token } }],
    contexts: [{ name: 'muster', context: { cluster: 'muster', user: 'muster' } }],
    'current-context': 'muster',
  };
  writeFileSync(file, stringify(config), { mode: 0o600 });
  const batch = mode === 'batch' ? ['--audit-webhook-batch-max-wait=200ms'] : [];
  return { cert, key, token, flags: [`--audit-webhook-config-file=${file}`, `--audit-webhook-mode=${mode}`, '--audit-webhook-initial-backoff=100ms', ...batch], remove: () => rmSync(folder, { recursive: true }) };
}
