import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/engine/clock.js';
import { postWebhook, webhookPolicy } from '../../../src/clients/sinks/webhook.js';
import { httpReceiver } from '../../components/http-receiver.js';

const quick = { ...webhookPolicy, delayMs: 1 };
let receiver: Awaited<ReturnType<typeof httpReceiver>>;
afterEach(() => receiver.close());

const post = async (answers: readonly number[], body: unknown = { text: 'x' }) => {
  receiver = await httpReceiver(answers);
  return postWebhook(`${receiver.url}/services/T0/SECRET`, body, systemClock(), quick);
};

describe('a webhook', () => {
  it('is posted JSON once when it takes it', async () => {
    expect(await post([200], { text: 'hello' })).toEqual({ ok: true, attempts: 1 });
    expect(receiver.received).toEqual([expect.objectContaining({ path: '/services/T0/SECRET', body: { text: 'hello' }, headers: expect.objectContaining({ 'content-type': 'application/json' }) })]);
  });

  it('that is busy or out of order is tried again', async () => {
    expect(await post([503, 429, 200])).toEqual({ ok: true, attempts: 3 });
    expect(receiver.received).toHaveLength(3);
  });

  it('is given up after four attempts', async () => {
    expect(await post([500])).toEqual({ ok: false, attempts: 4, error: 'it answered 500' });
    expect(receiver.received).toHaveLength(4);
  });

  it.each([400, 403, 404, 302])('that refuses with %i is not asked again, nor followed', async (status) => {
    expect(await post([status])).toEqual({ ok: false, attempts: 1, error: `it answered ${status}` });
    expect(receiver.received).toHaveLength(1);
  });

  it('that cannot be reached says so, without its address', async () => {
    receiver = await httpReceiver();
    const { url } = receiver;
    await receiver.close();
    const posted = await postWebhook(`${url}/services/SECRET`, {}, systemClock(), quick);
    expect(posted).toEqual({ ok: false, attempts: 4, error: 'it cannot be reached: ECONNREFUSED' });
    receiver = await httpReceiver();
  });

  it.each(['', 'no url', 'file:///etc/passwd', 'javascript:1'])('with the address %j is not even tried, and the address not shown', async (url) => {
    receiver = await httpReceiver();
    expect(await postWebhook(url, {}, systemClock(), quick)).toEqual({ ok: false, attempts: 0, error: 'its address is no http or https URL' });
  });

  it('that never answers is given up in time', async () => {
    receiver = await httpReceiver();
    const { createServer } = await import('node:net');
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => void silent.once('listening', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const posted = await postWebhook(`http://127.0.0.1:${port}/`, {}, systemClock(), { ...quick, attempts: 2, timeoutMs: 50 });
    expect(posted).toMatchObject({ ok: false, attempts: 2 });
    silent.close();
  });
});
