import { readFile, readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { reliedOn, type ApprovalPolicy, type SignedApproval } from '../engine/approvals.js';
import { messageOf, RefusedError } from '../engine/errors.js';
import type { EventDataOf } from '../engine/events.js';
import type { Plan } from '../engine/plan-document.js';
import { approvalFileName, checkApproval, digestsOf, principalsOf, type ApprovalFiles } from '../evidence/approval.js';
import { parseAllowedSigners, type AllowedSigner } from '../evidence/ssh/allowed-signers.js';

export interface ReliedApproval {
  readonly files: ApprovalFiles;
  readonly event: EventDataOf<'plan.approved'>;
}

/** Whoever starts a run: the account, and the one that it was reached from. */
export function operatorNames(env: Readonly<Record<string, string | undefined>>): string[] {
  return [...new Set([userInfo().username, env['SUDO_USER'] ?? ''])].filter((name) => name !== '');
}

export function policyOf(plan: Plan): ApprovalPolicy {
  return plan.binding.environment.approvals as unknown as ApprovalPolicy;
}

/** The allowed signers that an environment names; empty when it names none. */
export async function allowedSignersOf(plan: Plan, environmentPath: string): Promise<AllowedSigner[]> {
  const { allowedSigners } = policyOf(plan);
  if (allowedSigners === undefined) return [];
  const path = resolve(dirname(environmentPath), allowedSigners.path);
  return parseAllowedSigners(await readFile(path, 'utf8'), path);
}

/** Those approvals beside a plan's file that count. Throws RefusedError when the environment demands more. */
export async function approvalsFor(plan: Plan, planPath: string, environmentPath: string, env: Readonly<Record<string, string | undefined>>): Promise<ReliedApproval[]> {
  const policy = policyOf(plan);
  const signers = await allowedSignersOf(plan, environmentPath);
  const rejected: string[] = [];
  const signed: (SignedApproval & { readonly files: ApprovalFiles; readonly key: string })[] = [];
  for (const files of await filesBeside(planPath, rejected)) {
    try {
      const checked = checkApproval(files, plan.digest);
      signed.push({ file: `${basename(planPath)}.${files.file}`, principals: principalsOf(checked, signers, Date.now()), files, key: checked.key });
    } catch (error) {
      rejected.push(`${basename(planPath)}.${files.file}: ${messageOf(error)}`);
    }
  }
  return reliedOn(policy, signed, operatorNames(env), rejected).map(({ files, principals, key }) => ({ files, event: { who: principals[0] ?? '', key, file: files.file, ...digestsOf(files) } }));
}

/** A run without a plan that anybody could have approved. */
export function refuseUnapproved(plan: Plan): void {
  const { required } = policyOf(plan);
  if (required > 0) throw new RefusedError(`the environment ${plan.binding.environment.name} demands ${required} ${required === 1 ? 'approval' : 'approvals'}`, ['Save a plan with muster plan --out plan.json, have it approved with muster approve, and run it with muster run --plan plan.json']);
}

async function filesBeside(planPath: string, rejected: string[]): Promise<ApprovalFiles[]> {
  const prefix = `${basename(planPath)}.`;
  const names = (await readdir(dirname(planPath))).filter((name) => name.startsWith(prefix) && approvalFileName.test(name.slice(prefix.length))).toSorted();
  const found: ApprovalFiles[] = [];
  for (const name of names) {
    try {
      const path = join(dirname(planPath), name);
      found.push({ file: name.slice(prefix.length), text: await readFile(path, 'utf8'), signature: await readFile(`${path}.sig`, 'utf8') });
    } catch (error) {
      rejected.push(`${name}: ${messageOf(error)}`);
    }
  }
  return found;
}
