import type { Redactor } from '../engine/redact.js';

/** What the usual chains read from the environment: it shows nowhere. */
const names = ['PGPASSWORD', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];

export function addKnownSecrets(redactor: Redactor, env: Readonly<Record<string, string | undefined>>): void {
  for (const name of names) redactor.add(env[name] ?? '');
}
