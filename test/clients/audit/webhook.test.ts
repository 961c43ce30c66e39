import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { WebhookPlace } from '../../../src/clients/audit/port.js';
import { AuditWebhook } from '../../../src/clients/audit/webhook.js';
import { freePorts } from '../../components/kubernetes/programs.js';
import { auditEvent, hearing, type Heard } from './lib.js';

const folder = mkdtempSync(join(tmpdir(), 'muster-webhook-'));
const open: AuditWebhook[] = [];
afterEach(async () => {
  for (const source of open.splice(0)) await source.end();
});
afterAll(() => rmSync(folder, { recursive: true }));

const token = 'c4n4ry-of-audit';
const secrets: string[] = [];

async function listening(more: Partial<WebhookPlace> = {}, mostBytes?: number): Promise<{ readonly heard: Heard; readonly source: AuditWebhook; readonly port: number }> {
  const [port = 0] = await freePorts(1);
  const source = new AuditWebhook({ port, ...more }, { env: { AUDIT_TOKEN: token }, secrets: { add: (secret) => void secrets.push(secret) }, ...(mostBytes === undefined ? {} : { mostBytes }) });
  const heard = hearing();
  await source.begin(heard);
  open.push(source);
  return { heard, source, port };
}

/** The status of the answer. */
function post(port: number, body: string, { headers = {}, ...options }: Omit<RequestOptions, 'headers'> & { readonly ca?: Buffer; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const send = options.ca === undefined ? httpRequest : httpsRequest;
    const request = send({ host: '127.0.0.1', port, method: 'POST', path: '/audit?timeout=30s', agent: false, ...options, headers: { 'content-type': 'application/json', ...headers } }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    request.once('error', reject).end(body);
  });
}

const list = (...items: unknown[]) => JSON.stringify({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items });

test('a batch is answered with 200 once all of it was taken', async () => {
  const { heard, port } = await listening();
  expect(await post(port, list(auditEvent('a'), auditEvent('b')))).toBe(200);
  expect(await post(port, list())).toBe(200);
  expect(heard.events.map(({ auditID }) => auditID)).toEqual(['a', 'b']);
  expect(heard.losses).toEqual([]);
});

test.each([
  ['no JSON', 'event'],
  ['something else', JSON.stringify({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1beta1', items: [] })],
  ['a batch of which one is no event', list(auditEvent('a'), { auditID: 'b', objectRef: 'pods' })],
  ['no list', JSON.stringify({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: null })],
])('%s is refused with 400, taken in no part, and a loss', async (_, body) => {
  const { heard, port } = await listening();
  expect(await post(port, body)).toBe(400);
  expect(heard.events).toEqual([]);
  expect(heard.losses).toEqual([expect.stringMatching(/refused what was sent to it: it is no EventList/)]);
});

test('what is too large is refused with 400 and a loss, and what comes next is taken', async () => {
  const { heard, port } = await listening({}, 4_000);
  expect(await post(port, list(auditEvent('a', { requestURI: 'x'.repeat(2_000_000) })))).toBe(400);
  expect(heard.losses).toEqual([expect.stringMatching(/larger than 4000 bytes/)]);
  expect(await post(port, list(auditEvent('b')))).toBe(200);
  expect(heard.events.map(({ auditID }) => auditID)).toEqual(['b']);
});

test('without the bearer token nothing is taken; that is said, and is no loss by itself', async () => {
  const { heard, port } = await listening({ tokenFrom: 'AUDIT_TOKEN' });
  expect(await post(port, list(auditEvent('a')))).toBe(401);
  expect(await post(port, list(auditEvent('a')), { headers: { authorization: 'Bearer wrong' } })).toBe(401);
  expect(await post(port, list(auditEvent('b')), { headers: { authorization: `Bearer ${token}` } })).toBe(200);
  expect(await post(port, list(auditEvent('c')), { method: 'PUT', headers: { authorization: `Bearer ${token}` } })).toBe(405);
  expect(heard.events.map(({ auditID }) => auditID)).toEqual(['b']);
  expect(heard.losses).toEqual([]);
  expect(heard.lines.join('\n')).toMatch(/without the right token/);
  expect(heard.lines.join('\n')).not.toContain(token);
  expect(secrets).toContain(token);
});

test('with a certificate it listens by TLS alone', async () => {
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const { heard, source, port } = await listening({ tls: { cert, key } });
  expect(source.name).toBe(`the audit webhook at https://127.0.0.1:${port}`);
  expect(await post(port, list(auditEvent('a')), { ca: readFileSync(cert) })).toBe(200);
  await expect(post(port, list(auditEvent('b')))).rejects.toThrow();
  expect(heard.events.map(({ auditID }) => auditID)).toEqual(['a']);
});

test('what cannot work is said before anything begins', async () => {
  const { port } = await listening();
  const source = (place: WebhookPlace) => new AuditWebhook(place, { env: {}, secrets: { add: () => undefined } });
  await expect(source({ port }).check()).rejects.toThrow(/something else listens there/);
  await expect(source({ port, tokenFrom: 'AUDIT_TOKEN' }).check()).rejects.toThrow(/AUDIT_TOKEN is not set/);
  await expect(source({ port, tls: { cert: '/none.crt', key: '/none.key' } }).check()).rejects.toThrow(/no certificate/);
  await expect(source({ port, host: '0.0.0.0' }).check()).rejects.toThrow(/could be told anything by anyone/);
  const [other = 0] = await freePorts(1);
  const free = source({ port: other });
  await free.check();
  await free.check();
  await expect(post(other, '')).rejects.toThrow(/ECONNREFUSED/);
});
