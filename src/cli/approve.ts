import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { messageOf, UsageError } from '../engine/errors.js';
import { flattenSteps, type Plan } from '../engine/plan-document.js';
import { approvalFile, approvalNamespace, approvalText, signApproval } from '../evidence/approval.js';
import { agentSigner } from '../evidence/ssh/agent.js';
import { signerOf, type AllowedSigner } from '../evidence/ssh/allowed-signers.js';
import { fingerprint, parsePrivateKey, parsePublicKeyLine, type SshSigner } from '../evidence/ssh/keys.js';
import { visible } from '../report/visible.js';
import { allowedSignersOf, policyOf } from './approvals.js';
import type { CommandIo } from './io.js';
import { readPlan } from './plan-file.js';

export interface ApproveOptions {
  readonly plan: string;
  /** A private key, or a public one whose private half an ssh-agent holds. */
  readonly key: string;
  readonly as: string | undefined;
}

/** `muster approve`: writes <plan>.approval-<who>.json and its signature beside the plan. Throws UsageError. */
export async function approve(options: ApproveOptions, io: CommandIo): Promise<number> {
  const path = resolve(io.cwd, options.plan);
  const plan = await readPlan(options.plan, io);
  const signer = await signerFrom(resolve(io.cwd, options.key), io);
  const signers = await knownSigners(plan, path, io);
  const known = signerOf(signers, signer.publicKey, approvalNamespace, Date.now())?.principals[0];
  const who = options.as ?? known ?? userInfo().username;
  const { runbook, environment } = plan.binding;
  const text = approvalText({ schema: 'muster/approval/v1', plan: plan.digest, runbook: `${runbook.name} ${runbook.version}`, environment: environment.name, approver: who, at: new Date().toISOString() });
  const file = `${path}.${approvalFile(who)}`;
  const signature = await signApproval(text, signer);
  try {
    await writeFile(file, text, { flag: 'wx' });
    await writeFile(`${file}.sig`, signature);
  } catch (error) {
    throw new UsageError(`the approval cannot be written: ${messageOf(error)}`);
  }
  const name = basename(file);
  const destroying = flattenSteps(plan.binding.steps).flatMap(({ step }) => (step.effect === 'destroy' ? [step.id] : []));
  io.stdout(`${name}\n`);
  io.stderr(visible(`Approved as ${who} (${fingerprint(signer.publicKey)}): ${runbook.title}, ${runbook.name} ${runbook.version} in ${environment.name}${destroying.length === 0 ? '' : `; destroying: ${destroying.join(', ')}`}\n`, { lines: true }));
  if (known === undefined && policyOf(plan).allowedSigners !== undefined) io.stderr(`This key stands in no line of the environment's allowed signers: the approval does not count until it does, in a new plan.\n`);
  else if (known !== undefined && options.as !== undefined && known !== options.as) io.stderr(visible(`By the environment's allowed signers this key is ${known}'s, and that is who will count.\n`, { lines: true }));
  io.stderr(`Anybody can check it: ssh-keygen -Y verify -f ALLOWED_SIGNERS -I ${shell(known ?? who)} -n ${approvalNamespace} -s ${shell(`${name}.sig`)} < ${shell(name)}\nThe digest that it names is that of the plan's binding: jq -cjS .binding ${shell(basename(path))} | sha256sum\n`);
  return 0;
}

async function signerFrom(path: string, io: CommandIo): Promise<SshSigner> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--key: ${messageOf(error)}`);
  }
  return /^(ssh|ecdsa|sk)-/.test(text) ? agentSigner(parsePublicKeyLine(text), io.env['SSH_AUTH_SOCK']) : parsePrivateKey(text, path);
}

/** Of the environment that the plan was made from, if it is still there and the same. */
async function knownSigners(plan: Plan, planPath: string, io: CommandIo): Promise<AllowedSigner[]> {
  const environment = plan.observed.documents?.environment;
  if (environment === undefined) return [];
  try {
    return await allowedSignersOf(plan, resolve(dirname(planPath), environment));
  } catch (error) {
    io.stderr(visible(`The environment's allowed signers cannot be read here: ${messageOf(error)}\n`, { lines: true }));
    return [];
  }
}

const shell = (text: string): string => (/^[\w./@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
