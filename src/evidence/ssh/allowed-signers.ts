import { UsageError } from '../../engine/errors.js';
import { parsePublicKeyLine, type SshPublicKey } from './keys.js';

/** One line of an allowed_signers file (ssh-keygen(1), ALLOWED SIGNERS). */
export interface AllowedSigner {
  readonly principals: readonly string[];
  readonly namespaces: readonly string[] | null;
  /** Milliseconds since the epoch. */
  readonly validAfter: number | null;
  readonly validBefore: number | null;
  readonly key: SshPublicKey;
}

/** `cert-authority` lines are refused: certificates are not supported. */
export function parseAllowedSigners(text: string, file: string): AllowedSigner[] {
  return text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    const match = /^("[^"]*"|\S+)\s+(?:((?:[^\s"]|"[^"]*")+)\s+)??((?:ssh|ecdsa|sk)-\S+\s+\S+)/.exec(trimmed);
    if (match === null) throw new UsageError(`${file}:${index + 1}: expected "principals [options] keytype base64-key", found ${JSON.stringify(trimmed.slice(0, 60))}`);
    const options = optionsOf(match[2] ?? '', `${file}:${index + 1}`);
    return [
      {
        principals: (match[1] ?? '').replaceAll('"', '').split(','),
        namespaces: options.get('namespaces')?.split(',') ?? null,
        validAfter: timeOf(options.get('valid-after')),
        validBefore: timeOf(options.get('valid-before')),
        key: parsePublicKeyLine(match[3] ?? ''),
      },
    ];
  });
}

function optionsOf(text: string, where: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(/([a-z-]+)(?:="([^"]*)")?(?:,|$)/g)) {
    if (!['namespaces', 'valid-after', 'valid-before'].includes(name)) throw new UsageError(`${where}: option ${JSON.stringify(name)} is not supported; expected namespaces, valid-after or valid-before`);
    options.set(name, value);
  }
  return options;
}

/** YYYYMMDD[HHMM[SS]][Z]; without Z it is local time, as ssh-keygen reads it. */
function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/.exec(text);
  if (match === null) throw new UsageError(`expected a time such as 20270101 or 20270101120000Z in allowed_signers, found ${JSON.stringify(text)}`);
  const [, year, month, day, hour = '00', minute = '00', second = '00', zone = ''] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`);
}

/** The first line that `key` may sign with in `namespace`; `at` (ms since the epoch) is checked against the line's validity. */
export function signerOf(signers: readonly AllowedSigner[], key: SshPublicKey, namespace: string, at: number): AllowedSigner | undefined {
  return signers.find(
    (signer) =>
      signer.key.blob.equals(key.blob) &&
      (signer.namespaces === null || signer.namespaces.includes(namespace)) &&
      (signer.validAfter === null || at >= signer.validAfter) &&
      (signer.validBefore === null || at < signer.validBefore),
  );
}

/** Who `key` belongs to for `namespace` at that time. */
export function principalOf(signers: readonly AllowedSigner[], key: SshPublicKey, namespace: string, at: number): string | undefined {
  return signerOf(signers, key, namespace, at)?.principals[0];
}
