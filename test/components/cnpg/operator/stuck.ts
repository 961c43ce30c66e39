/** Until the Cluster is deleted. */
export function stuck(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('deleted')), { once: true }));
}
