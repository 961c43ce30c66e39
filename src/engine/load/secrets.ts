import { eachText } from '../template.js';
import type { Pointer, Report } from './report.js';
import { mapping } from './shape.js';

/**
 * Secrets that stand in a document. It is hashed, approved and copied into every bundle as it is, so nothing could hide them there.
 * These are the forms that cannot be anything else; a value that comes in by a template is not one of them.
 */
const forms: readonly { readonly what: string; readonly pattern: RegExp; readonly sql?: boolean }[] = [
  { what: 'a URL with a password', pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:]*:(?!\{\{)[^\s/@]+@/i },
  { what: 'a connection string with a password', pattern: /(^|[\s;&?'"])(pg|ssl)?passw(or)?d\s*=\s*['"]?(?!\{\{|\$)[^\s'"]/i, sql: false },
  { what: 'a password in SQL', pattern: /\bpassword\s+'[^']+'/i },
  { what: 'a private key', pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/ },
];
const secretVariable = /(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$/i;
const secretHeader = /^(authorization|proxy-authorization|cookie|x-api-key|x-auth-token)$/i;
const sqlInputs = new Set<unknown>(['sql', 'read']);

/** Reports every secret of a document, without repeating it. */
export function refuseSecrets(value: unknown, report: Report): void {
  eachText(value, [], (text, at) => {
    const what = forms.find(({ pattern, sql }) => pattern.test(text) && !(sql === false && sqlInputs.has(at.at(-1))))?.what ?? named(text, at);
    if (what !== undefined) refuse(report, at, what);
  });
  for (const [name, spec] of Object.entries(mapping(mapping(value)['inputs']))) {
    if (mapping(spec)['x-sensitive'] === true && mapping(spec)['default'] !== undefined) refuse(report, ['inputs', name, 'default'], 'the default of a sensitive input', `give it with MUSTER_INPUT_${name}=... in the environment of Muster`);
  }
}

/** A literal that its own name calls a secret. */
function named(text: string, at: Pointer): string | undefined {
  const [holder, name] = [at.at(-2), at.at(-1)];
  if (typeof name !== 'string' || text === '' || text.includes('{{')) return undefined;
  if (holder === 'env' && secretVariable.test(name)) return `the value of ${name}`;
  if (holder === 'headers' && secretHeader.test(name)) return `the header ${name}`;
  return undefined;
}

function refuse(report: Report, at: Pointer, what: string, hint = 'use an x-sensitive input, secretEnv of exec, or PGPASSWORD and the pgpass file'): void {
  report.broken(at, { message: `a secret must not stand here: ${what}`, expected: 'a value that comes from the environment of Muster', found: 'a secret', hint, secret: true });
}
