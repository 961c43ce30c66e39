import { canonicalJson } from '../engine/canonical.js';
import type { Drill } from '../engine/drill.js';
import { UsageError, messageOf } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import type { Plan } from '../engine/plan-document.js';
import { approvalNamespace } from './approval.js';
import { parseJson } from './parse.js';
import { signOffOf } from './review.js';
import type { Defect } from './defect.js';
import { approvalPath, type ReadBundle } from './reader.js';
import { checkSeal, type Seal } from './seal.js';
import { sealFile, timestampFile } from './seal-files.js';
import { principalOf, type AllowedSigner } from './ssh/allowed-signers.js';
import { fingerprint } from './ssh/keys.js';
import { parseSshSignature, sshVerify } from './ssh/sshsig.js';
import { tagManifest } from './texts.js';

interface Known {
  readonly plan: Plan | undefined;
  readonly events: readonly DrillEvent[] | undefined;
  readonly drill: Drill | undefined;
}

interface Trust {
  readonly allowedSigners?: readonly AllowedSigner[];
  readonly timestampCa?: string;
}

interface Findings {
  readonly defects: Defect[];
  readonly notes: string[];
  readonly checked: string[];
}

/** The seal, if there is one, and the approvals beside it; says in words what they show and what they do not. */
export async function checkSignatures(bundle: ReadBundle, { plan, events, drill }: Known, { allowedSigners: signers, timestampCa }: Trust, findings: Findings): Promise<Seal | null> {
  const { defects, notes, checked } = findings;
  const tagManifestText = bundle.texts.get(tagManifest);
  const content = plan === undefined || events === undefined || drill === undefined || tagManifestText === undefined ? undefined : { plan, events, drill, tagManifestText };
  const at = await timeOf(bundle, timestampCa, findings);
  const seal = checkSeal({ texts: bundle.texts, timestamp: bundle.digests.get(timestampFile)?.sha256 ?? null, content, signers, at: at ?? Date.now() }, defects);
  if (seal === null) notes.push('UNSIGNED, consistency only: whoever rewrites journal, verdict and manifests together is not found out.');
  else if (seal.principal !== null) checked.push(`the seal and both in-toto statements: signed by ${seal.principal} (${seal.fingerprint})`);
  else notes.push(`Sealed with ${seal.fingerprint}, but nothing says whose key that is, so this shows consistency only: give --allowed-signers, a file from somebody you trust.`);
  checkApprovals(bundle, plan, drill, signers, findings);
  return seal;
}

/** When the seal was there already, if an authority that the caller trusts says so. */
async function timeOf({ texts, token }: ReadBundle, ca: string | undefined, { defects, notes, checked }: Findings): Promise<number | undefined> {
  const sealText = texts.get(sealFile);
  if (ca === undefined) {
    if (sealText !== undefined) notes.push(token === null ? 'When the bundle was sealed: there is no timestamp.' : 'When the bundle was sealed: its timestamp was not checked; give --timestamp-ca, the root of the authority.');
    return undefined;
  }
  try {
    if (token === null || sealText === undefined) throw new Error('the bundle has no timestamp; with an authority given, one is required');
    const at = await (await import('./timestamp.js')).tokenTime(token, sealText, ca);
    checked.push(`the timestamp: the seal was there at ${new Date(at).toISOString()}`);
    return at;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    defects.push({ code: 'timestamp-broken', file: timestampFile, detail: messageOf(error) });
    return undefined;
  }
}

/** Approvals come before or after the seal and are not under it: each stands for itself by its own signature. */
function checkApprovals({ texts, digests }: ReadBundle, plan: Plan | undefined, drill: Drill | undefined, signers: readonly AllowedSigner[] | undefined, { defects, notes, checked }: Findings): void {
  const files = new Set([...digests.keys()].flatMap((path) => approvalPath.exec(path)?.[1] ?? []));
  const say = (file: string, detail: string) => defects.push({ code: 'approval-broken', file, detail });
  for (const file of files) {
    const [text, signatureText] = [texts.get(file), texts.get(`${file}.sig`)];
    if (text === undefined || signatureText === undefined) {
      say(file, 'an approval and its signature (.sig) stand side by side; one of them is missing');
      continue;
    }
    try {
      const value = parseJson(text);
      if (`${canonicalJson(value)}\n` !== text) say(file, 'not one line of canonical JSON (RFC 8785)');
      const signature = parseSshSignature(signatureText);
      const key = fingerprint(signature.publicKey);
      if (!sshVerify(Buffer.from(text), signature, approvalNamespace)) say(`${file}.sig`, `it is no signature of ${file} for ${approvalNamespace}`);
      const concerns = [plan?.digest, digests.get(tagManifest)?.sha256];
      const named = typeof value === 'object' && value !== null ? Object.values(value) : [];
      if (plan !== undefined && !named.some((member) => typeof member === 'string' && concerns.includes(member))) say(file, 'it names neither the plan of this run nor the digest of this bundle');
      const signed = signOffOf(value);
      if (signed.kind === 'approval' && plan !== undefined && signed.plan !== plan.digest) say(file, 'it approves another plan');
      if (signed.kind === 'review') {
        if (signed.review.bundle !== digests.get(tagManifest)?.sha256) say(file, 'it reviews another bundle');
        else if (drill !== undefined && (signed.review.run !== drill.run || signed.review.verdict !== drill.verdict)) say(file, `it says that ${signed.review.run} is ${signed.review.verdict}; this is ${drill.run}, ${drill.verdict}`);
      }
      const what = signed.kind === 'review' ? `review, ${signed.review.conclusion}` : signed.kind === 'approval' ? 'approval of the plan' : 'signed document of another form';
      const principal = signers === undefined ? undefined : principalOf(signers, signature.publicKey, approvalNamespace, Date.now());
      if (signers === undefined) notes.push(`${file} (${what}) is signed with ${key}; nothing says whose key that is.`);
      else if (principal === undefined) defects.push({ code: 'wrong-signer', file: `${file}.sig`, detail: `${key} is not among the allowed signers for ${approvalNamespace}` });
      else checked.push(`${file}: signed by ${principal} (${key}), ${what}`);
    } catch (error) {
      say(file, messageOf(error));
    }
  }
}
