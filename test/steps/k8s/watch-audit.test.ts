import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { WatchContext } from '../../../src/engine/define-watcher.js';
import { AuditLog } from '../../../src/steps/k8s/lib/watch-audit.js';

const folder = mkdtempSync(join(tmpdir(), 'muster-audit-'));
const file = join(folder, 'audit.log');
afterAll(() => rmSync(folder, { recursive: true }));

const line = (event: Record<string, unknown>) =>
  `${JSON.stringify({ kind: 'Event', apiVersion: 'audit.k8s.io/v1', stage: 'ResponseComplete', verb: 'patch', requestURI: '/', user: { username: 'alice' }, userAgent: 'kubectl/v1.36.1 (linux/amd64)', responseStatus: { code: 200 }, requestReceivedTimestamp: '2026-11-20T10:00:00.123456Z', ...event })}\n`;

it('names objects as steps declare them, and tells of what was done: not of what was refused, only tried, read, or lies elsewhere', async () => {
  writeFileSync(file, line({ objectRef: { resource: 'secrets', namespace: 'shop', name: 'before' } }));
  const gaps: string[] = [];
  const ctx = { runId: 'run-1', gap: (detail: string) => void gaps.push(detail) } as Partial<WatchContext> as WatchContext;
  const log = new AuditLog(file, { system: 'kubernetes:cluster', scope: 'recovery-path', namespaces: ['shop'], isNamed: (resource, name) => resource === 'nodes' && name === 'n1' }, ctx);
  await log.begin();
  appendFileSync(
    file,
    [
      line({ objectRef: { resource: 'endpoints', namespace: 'shop', name: 'web' } }),
      line({ objectRef: { resource: 'clusters', apiGroup: 'postgresql.cnpg.io', namespace: 'shop', name: 'orders', subresource: 'status' } }),
      line({ verb: 'create', stage: 'ResponseStarted', responseStatus: { code: 101 }, objectRef: { resource: 'pods', namespace: 'shop', name: 'web-0', subresource: 'exec' } }),
      line({ objectRef: { resource: 'nodes', name: 'n1' }, userAgent: 'muster/run-1' }),
      line({ objectRef: { resource: 'deployments', apiGroup: 'apps', namespace: 'shop', name: 'web' }, responseStatus: { code: 403 } }),
      line({ objectRef: { resource: 'deployments', apiGroup: 'apps', namespace: 'shop', name: 'web' }, requestURI: '/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All' }),
      line({ verb: 'get', objectRef: { resource: 'pods', namespace: 'shop', name: 'web-0' } }),
      line({ objectRef: { resource: 'pods', namespace: 'other', name: 'web-0' } }),
      line({ objectRef: { resource: 'nodes', name: 'n2' } }),
    ].join(''),
  );
  expect((await log.look()).map(({ object, change, actor, proof, at }) => [object, change, actor, proof, at])).toEqual([
    ['endpoints shop/web', 'patch', 'alice (kubectl/v1.36.1)', 'another', '2026-11-20T10:00:00.123456Z'],
    ['cluster shop/orders', 'patch status', 'alice (kubectl/v1.36.1)', 'another', '2026-11-20T10:00:00.123456Z'],
    ['pod shop/web-0', 'exec', 'alice (kubectl/v1.36.1)', 'another', '2026-11-20T10:00:00.123456Z'],
    ['node n1', 'patch', 'alice (muster/run-1)', 'ours', '2026-11-20T10:00:00.123456Z'],
  ]);
  expect(gaps).toEqual([]);
  writeFileSync(file, '');
  await log.look();
  expect(gaps.join()).toContain('was cut or begun anew');
});
