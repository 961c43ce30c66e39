import type { Clock } from '../../engine/define-step.js';
import { StepError, messageOf } from '../../engine/errors.js';
import { withAttempts, type AttemptPolicy } from '../../engine/retry.js';

/** Four attempts, and no more than half a minute in all. */
export const webhookPolicy = { attempts: 4, timeoutMs: 10_000, totalTimeoutMs: 30_000, delayMs: 1_000, graceMs: 1_000 } as const satisfies AttemptPolicy;

export type Posted = { readonly ok: true; readonly attempts: number } | { readonly ok: false; readonly attempts: number; readonly error: string };

/**
 * Posts JSON. A server that is busy or out of order (408, 425, 429, 5xx), or cannot be reached, is tried again; another answer than 2xx is not,
 * nor is a redirect followed. `url` is a secret: it stands in no message.
 */
export async function postWebhook(url: string, body: unknown, clock: Clock, policy: AttemptPolicy = webhookPolicy): Promise<Posted> {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target === undefined || !['http:', 'https:'].includes(target.protocol)) return { ok: false, attempts: 0, error: 'its address is no http or https URL' };
  const outcome = await withAttempts(policy, clock, new AbortController().signal, {
    run: (_, signal) => once(target, JSON.stringify(body), signal),
    onRetry: () => Promise.resolve(),
  });
  if (outcome.status === 'succeeded') return { ok: true, attempts: outcome.attempt };
  return { ok: false, attempts: outcome.attempt, error: messageOf(outcome.error).replaceAll(url, '<its address>').replaceAll(target.href, '<its address>') };
}

async function once(url: URL, body: string, signal: AbortSignal): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body, redirect: 'manual', signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new StepError('unreachable', `it cannot be reached: ${cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : messageOf(cause)}`, { retryable: true });
  }
  await response.body?.cancel();
  if (response.ok) return;
  throw new StepError('refused', `it answered ${response.status}`, { retryable: [408, 425, 429].includes(response.status) || response.status >= 500 });
}
