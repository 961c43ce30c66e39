import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { httpReceiver } from '../components/http-receiver.js';
import { environment, Place, runbook } from './lib.js';

let place: Place;
let receiver: Awaited<ReturnType<typeof httpReceiver>>;
beforeEach(async () => {
  place = new Place();
  receiver = await httpReceiver();
});
afterEach(async () => {
  await place.remove();
  await receiver.close();
});

const withSinks = (sinks: string) => {
  const file = join(place.cwd, 'env.yaml');
  writeFileSync(file, `${readFileSync(environment, 'utf8')}sinks: ${sinks}\n`);
  return ['run', runbook, '--env', file, '--yes'];
};
const evidence = () => readdirSync(join(place.cwd, 'evidence'));
const deliveries = () => {
  const file = evidence().find((name) => name.startsWith('deliveries-')) ?? '';
  return (JSON.parse(readFileSync(join(place.cwd, 'evidence', file), 'utf8')) as { deliveries: { sink: string; to: string; ok: boolean; attempts: number; error: string | null }[] }).deliveries;
};
const bundle = () => join(place.cwd, 'evidence', evidence().find((name) => /^\d/.test(name)) ?? '');

describe('sinks', () => {
  it('are told of a drill once its bundle is written, and it is written down to whom', async () => {
    const secret = `${receiver.url}/services/T000/B000/TopSecretToken`;
    const { code, stdout, stderr } = await place.run(withSinks('[{ type: webhook, urlFrom: HOOK }, { type: webhook, urlFrom: HOOK2, format: json, when: not-passed }, { type: otel }]'), { HOOK: secret, HOOK2: `${receiver.url}/second`, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    expect(code, stderr).toBe(0);
    expect(receiver.received.map(({ path }) => path).toSorted()).toEqual(['/services/T000/B000/TopSecretToken', '/v1/traces']);
    expect(receiver.received.find(({ path }) => path.startsWith('/services'))?.body).toEqual({ text: expect.stringMatching(/^\*PASSED\*/) });
    expect(stderr).toContain('Sent to webhook $HOOK');
    expect(deliveries()).toEqual([expect.objectContaining({ sink: 'webhook', to: '$HOOK', ok: true }), expect.objectContaining({ sink: 'otel', ok: true })]);
    for (const text of [stdout, stderr, JSON.stringify(deliveries())]) expect(text).not.toContain('TopSecretToken');
    for (const file of readdirSync(bundle(), { recursive: true, withFileTypes: true })) if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), 'utf8')).not.toContain('TopSecretToken');
    // What was sent is no part of the bundle, and no bundle of its own.
    expect((await place.run(['verify', 'evidence'])).code).toBe(0);
  });

  it('that fail change neither verdict nor exit code, and stay listed until they are told', async () => {
    const drilled = await place.run(withSinks('[{ type: webhook, urlFrom: HOOK }, { type: otel }]'), { OTEL_SDK_DISABLED: 'true' });
    expect(drilled.code).toBe(0);
    expect(drilled.stdout).toContain('PASSED');
    expect(drilled.stderr).toContain('NOT DELIVERED to webhook $HOOK: HOOK is not set');
    expect(drilled.stderr).toMatch(/muster send \S+ --webhook HOOK --otel/);
    const listed = await place.run(['history']);
    expect(listed.stdout).toMatch(/Not delivered[\s\S]*webhook \$HOOK: HOOK is not set/);
    const sent = await place.run(['send', bundle(), '--webhook', 'HOOK', '--otel'], { HOOK: `${receiver.url}/hook`, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    expect(sent.code, sent.stderr).toBe(0);
    expect(receiver.received.map(({ path }) => path).toSorted()).toEqual(['/hook', '/v1/traces']);
    expect((await place.run(['history'])).stdout).not.toContain('Not delivered');
  });

  it('are not needed for a trace: the variables of OpenTelemetry are enough', async () => {
    const { code } = await place.run(place.drill('--yes'), { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    expect(code).toBe(0);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/v1/traces']);
  });

  it('are told of nothing that does not verify, and of nothing without saying whom', async () => {
    expect((await place.run(place.drill('--yes'))).code).toBe(0);
    expect((await place.run(['send', bundle()])).code).toBe(2);
    const shown = await place.run(['send', bundle(), '--webhook', 'http://127.0.0.1/x']);
    expect(shown.code).toBe(2);
    writeFileSync(join(bundle(), 'data/drill.json'), '{}\n');
    expect((await place.run(['send', bundle(), '--webhook', 'HOOK'], { HOOK: receiver.url })).code).toBe(1);
    expect(receiver.received).toEqual([]);
  });

  it('of a webhook need an address', async () => {
    const { code, stderr } = await place.run(withSinks('[{ type: webhook }]'));
    expect(code).toBe(2);
    expect(stderr).toContain('a webhook needs an address');
  });
});
