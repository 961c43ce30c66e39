import { canonicalJson, sha256 } from '../engine/canonical.js';
import { messageOf } from '../engine/errors.js';
import type { PlanApproval } from './approval-document.js';
import { parseJson } from './parse.js';
import { signerOf, type AllowedSigner } from './ssh/allowed-signers.js';
import { fingerprint, type SshSigner } from './ssh/keys.js';
import { parseSshSignature, sshSign, sshVerify, type SshSignature } from './ssh/sshsig.js';

export const approvalNamespace = 'muster-approval';

/** What is signed: one line of canonical JSON that names the plan's digest. */
export type Approval = PlanApproval;

/** An approval with its signature, each the text of a file. `file`: the name without folder, `approval-<who>.json`. */
export interface ApprovalFiles {
  readonly file: string;
  readonly text: string;
  readonly signature: string;
}

export function approvalText(approval: Approval): string {
  return `${canonicalJson(approval)}\n`;
}

/** `approval-<who>.json`; what cannot stand in a file's name becomes `_`. */
export function approvalFile(who: string): string {
  return `approval-${who.replaceAll(/[^A-Za-z0-9._@+-]/g, '_').replace(/^[^A-Za-z0-9]/, 'x').slice(0, 100)}.json`;
}

export const approvalFileName = /^approval-[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\.json$/;

export function signApproval(text: string, signer: SshSigner): Promise<string> {
  return sshSign(Buffer.from(text), approvalNamespace, signer);
}

export interface CheckedApproval {
  readonly approval: Approval;
  readonly signature: SshSignature;
  /** `SHA256:...` */
  readonly key: string;
}

/** Holds an approval against the plan and against its own signature. Whose key it is, is another question. Throws Error that says what is wrong. */
export function checkApproval({ text, signature }: ApprovalFiles, plan: string): CheckedApproval {
  const approval = parsed(text);
  if (approval.plan !== plan) throw new Error(`it approves another plan (${approval.plan.slice(0, 12)}..., this is ${plan.slice(0, 12)}...)`);
  let found: SshSignature;
  try {
    found = parseSshSignature(signature);
  } catch (error) {
    throw new Error(`its signature cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (!sshVerify(Buffer.from(text), found, approvalNamespace)) throw new Error(`its signature does not hold (namespace ${approvalNamespace})`);
  return { approval, signature: found, key: fingerprint(found.publicKey) };
}

/** Everybody whom the key belongs to, by the signers who count; throws Error when it is nobody's now. */
export function principalsOf(checked: CheckedApproval, signers: readonly AllowedSigner[], at: number): readonly string[] {
  const signer = signerOf(signers, checked.signature.publicKey, approvalNamespace, at);
  if (signer === undefined) throw new Error(`the key ${checked.key} is none of the allowed signers, or not for ${approvalNamespace} at this time`);
  return signer.principals;
}

export function digestsOf({ text, signature }: ApprovalFiles): { readonly approval: string; readonly signature: string } {
  return { approval: sha256(text), signature: sha256(signature) };
}

const fields = ['schema', 'plan', 'runbook', 'environment', 'approver', 'at'] as const;

function parsed(text: string): Approval {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new Error(`it is not JSON: ${messageOf(error)}`, { cause: error });
  }
  const record = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  if (record['schema'] !== 'muster/approval/v1' || Object.keys(record).length !== fields.length || fields.some((name) => typeof record[name] !== 'string')) throw new Error('it is no approval (schema muster/approval/v1)');
  if (`${canonicalJson(value)}\n` !== text) throw new Error('it is not one line of canonical JSON');
  return value as Approval;
}
