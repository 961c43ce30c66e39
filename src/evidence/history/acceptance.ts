import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../engine/canonical.js';
import { messageOf } from '../../engine/errors.js';
import type { Acceptance } from '../../report/history/findings.js';
import { parseJson } from '../parse.js';
import type { AllowedSigner } from '../ssh/allowed-signers.js';
import type { SshSigner } from '../ssh/keys.js';
import { sshSign } from '../ssh/sshsig.js';
import { approvalNamespace, signatureOver } from './signature.js';
import { readSmall } from './summary.js';

/** `acceptance-<finding>.json` beside the bundles, with its SSHSIG (`.sig`): one line of canonical JSON. */
interface AcceptanceDocument {
  readonly schema: 'muster/risk-acceptance/v1';
  readonly finding: string;
  /** sha256 of the tag manifest of the bundle that it was found in. */
  readonly bundle: string;
  /** The last day on which it holds. */
  readonly until: string;
  readonly because: string;
}

const pattern = /^acceptance-(F-[0-9a-f]{12})\.json$/;
const members = ['because', 'bundle', 'finding', 'schema', 'until'];

/** By finding. Each holds only when somebody whom the caller trusts signed it and its last day is not over. `bundles`: digest by finding. */
export async function readAcceptances(root: string, bundles: ReadonlyMap<string, string>, signers: readonly AllowedSigner[], now: Date): Promise<Map<string, Acceptance>> {
  const found = new Map<string, Acceptance>();
  for (const name of (await readdir(root)).toSorted()) {
    const id = pattern.exec(name)?.[1];
    if (id !== undefined) found.set(id, await readAcceptance(join(root, name), name, { id, bundle: bundles.get(id) }, signers, now));
  }
  return found;
}

async function readAcceptance(file: string, name: string, { id, bundle }: { id: string; bundle: string | undefined }, signers: readonly AllowedSigner[], now: Date): Promise<Acceptance> {
  const no = (why: string): Acceptance => ({ holds: false, why: `${name}: ${why}` });
  let document: AcceptanceDocument;
  try {
    document = parse(await readSmall(file, name));
  } catch (error) {
    return no(messageOf(error));
  }
  if (document.finding !== id || (bundle !== undefined && document.bundle !== bundle)) return no('it is about another finding');
  const signature = await signatureOver(file, `${file}.sig`, approvalNamespace, signers, now);
  if (signature.state === 'none') return no(`it is not signed: ${name}.sig is missing`);
  if (signature.state === 'broken') return no(`its signature does not hold: ${signature.why}`);
  if (signature.by === null) return no(signers.length === 0 ? 'nothing says whose signature that is; give --allowed-signers' : `${signature.key} is nobody's among the allowed signers for ${approvalNamespace}`);
  if (now.getTime() > Date.parse(`${document.until}T23:59:59.999Z`)) return no(`it ended on ${document.until}`);
  return { holds: true, by: signature.by, until: document.until, reason: document.because };
}

function parse(text: string): AcceptanceDocument {
  const value = parseJson(text);
  if (`${canonicalJson(value)}\n` !== text) throw new Error('not one line of canonical JSON (RFC 8785)');
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== members.join() || !Object.values(value).every((member) => typeof member === 'string')) throw new Error(`expected the members ${members.join(', ')}, all of them texts`);
  const document = value as AcceptanceDocument;
  if (document.schema !== 'muster/risk-acceptance/v1' || !/^\d{4}-\d\d-\d\d$/.test(document.until) || Number.isNaN(Date.parse(document.until))) throw new Error('no acceptance of this version, or without its last day');
  return document;
}

/** Writes a signed acceptance beside the bundles; an older one of that finding is replaced. Resolves to the file's path. */
export async function writeAcceptance(root: string, accepted: Omit<AcceptanceDocument, 'schema'>, signer: SshSigner): Promise<string> {
  const file = join(root, `acceptance-${accepted.finding}.json`);
  const text = `${canonicalJson({ schema: 'muster/risk-acceptance/v1', ...accepted })}\n`;
  const signature = await sshSign(Buffer.from(text), approvalNamespace, signer);
  await writeFile(file, text);
  await writeFile(`${file}.sig`, signature);
  return file;
}
