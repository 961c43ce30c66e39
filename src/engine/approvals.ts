import { RefusedError } from './errors.js';

/** The environment's demand, as the plan's binding has it. */
export interface ApprovalPolicy {
  readonly required: number;
  /** Principals who may approve; absent: all whom the allowed signers name. */
  readonly by?: readonly string[];
  /** Default false. */
  readonly operatorMayApprove?: boolean;
  readonly allowedSigners?: { readonly path: string; readonly sha256: string };
}

/** An approval whose signature holds, by somebody whom the allowed signers know. */
export interface SignedApproval {
  readonly file: string;
  /** The first is the name that counts. */
  readonly principals: readonly string[];
}

/**
 * The approvals that count, one of each person. Throws RefusedError when there are fewer than the environment demands;
 * `rejected` tells what was wrong with others. `operators`: the names of whoever starts the run, who is one of two people
 * only when somebody else approves.
 */
export function reliedOn<A extends SignedApproval>(policy: ApprovalPolicy, signed: readonly A[], operators: readonly string[], rejected: readonly string[]): A[] {
  const people = new Map<string, A>();
  const left = [...rejected];
  for (const approval of signed) {
    const [who = ''] = approval.principals;
    if (policy.by !== undefined && !approval.principals.some((name) => policy.by?.includes(name))) left.push(`${approval.file}: ${who} is none of those who may approve (${policy.by.join(', ')})`);
    else if (policy.operatorMayApprove !== true && approval.principals.some((name) => operators.some((operator) => isSame(name, operator)))) left.push(`${approval.file}: ${who} runs the drill, and the environment demands somebody else (operatorMayApprove is not set)`);
    else if (people.has(who)) left.push(`${approval.file}: ${who} has approved already`);
    else people.set(who, approval);
  }
  if (people.size < policy.required) throw new RefusedError(`the environment demands ${policy.required} ${policy.required === 1 ? 'approval' : 'approvals'} of this plan, and there ${people.size === 1 ? 'is' : 'are'} ${people.size}`, [...left, 'Somebody else approves it with: muster approve plan.json --key <key>']);
  return [...people.values()];
}

/** `alice@example.org` is the account `alice`. */
function isSame(principal: string, operator: string): boolean {
  const [name, account] = [principal.toLowerCase(), operator.toLowerCase()];
  return name === account || name.split('@')[0] === account;
}
