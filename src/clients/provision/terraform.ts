import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Type, type Static } from 'typebox';
import { defineProvisioner, type ProvisionContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { versionOf } from '../terraform/adapter.js';
import { runTool } from '../terraform/command.js';
import type { TerraformDetails } from '../terraform/details.js';
import { checkVersion } from '../terraform/versions.js';
import { SecretEnv, Variable } from './lib/command-env.js';
import { findProgram } from '../process/which.js';

const input = Type.Object(
  {
    directory: Type.String({ minLength: 1, description: "Folder of the root module, from the runbook's folder on" }),
    binary: Type.Optional(Type.String({ minLength: 1, default: 'terraform', description: 'terraform or tofu: a name on PATH, or an absolute path' })),
    workspace: Type.Optional(Type.String({ minLength: 1, description: 'Must be there already; default: the default workspace' })),
    backendConfig: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_]*$' }), Type.Unknown(), { description: 'Settings of the backend that the code leaves open; no secrets' })),
    env: Type.Optional(Type.Record(Type.String({ pattern: Variable }), Type.String(), { description: 'Added to the environment of every command; TF_VAR_<name> sets a variable' })),
    secretEnv: SecretEnv,
    mayDestroy: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'Resource addresses that a drill may destroy or replace here; `*` stands for any text' })),
  },
  strict,
);
type Input = Static<typeof input>;

/**
 * A root module as it lies on disk. Nothing is written into its folder: the data directory, saved plans and logs are the run's.
 * The lock file of the providers is read only, so that a drill runs the versions that were committed.
 */
export const provisioner = defineProvisioner({
  type: 'terraform',
  kinds: ['infrastructure'],
  summary: 'A root module of Terraform or OpenTofu with its state, initialised in a data directory of the run.',
  input,
  protects: ({ directory, workspace }) => [`infrastructure:${directory}${workspace === undefined ? '' : `:${workspace}`}`],
  permissions: ({ binary = 'terraform', directory }) => [{ system: 'command', command: binary }, { system: 'path', path: directory, access: 'read' }],
  plan: ({ directory, binary = 'terraform' }) => ({ does: `Uses the infrastructure code in ${directory} with ${binary}`, calls: [`${binary} version -json`, `${binary} init -input=false -lockfile=readonly`] }),
  async existing(given, { runbookDir }) {
    return { ...(await placed(given, runbookDir)), version: 'not asked yet', tool: 'terraform' } satisfies TerraformDetails;
  },
  async preflight({ binary = 'terraform' }, ctx) {
    const tool = await ctx.ports.infrastructure.tool(ctx.connection);
    checkVersion(tool.name, tool.version);
    return [{ id: 'tool', result: 'passed', detail: `${tool.name} ${tool.version} at ${tool.program} (${binary})` }];
  },
  async provision(given, ctx) {
    const { program, ...rest } = await placed(given, ctx.runbookDir);
    const { name, version } = await versionOf(ctx.ports.process, program, rest.directory, ctx.signal);
    checkVersion(name, version);
    const work = await workFolder(ctx);
    const details = { ...rest, program, tool: name, version, work } satisfies TerraformDetails;
    await initialise(given, details, ctx);
    return details;
  },
});

async function placed({ directory, binary = 'terraform', workspace, env = {}, secretEnv = [], mayDestroy = [] }: Input, runbookDir: string) {
  const folder = resolve(runbookDir, directory);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) throw new StepError('no-infrastructure-code', `there is no folder ${folder}`);
  const program = await findProgram(binary, '/');
  if (program === undefined) throw new StepError('command-not-found', `there is no program ${binary}`, { hint: 'Install Terraform or OpenTofu, or give its absolute path as `binary`.' });
  return { program, directory: folder, env, secretEnv, mayDestroy, ...(workspace === undefined ? {} : { workspace }) };
}

/** It goes with the run. Plans and logs may hold what Terraform treats as secret: nobody else may enter. */
async function workFolder(ctx: ProvisionContext): Promise<string> {
  const work = join(ctx.workDir, 'terraform');
  await mkdir(join(work, 'plans'), { recursive: true });
  await chmod(work, 0o700);
  return work;
}

async function initialise({ backendConfig }: Input, { program, directory, work, workspace, env, secretEnv }: TerraformDetails & { readonly work: string }, ctx: ProvisionContext): Promise<void> {
  const args = ['init', '-input=false', '-no-color', '-lockfile=readonly'];
  if (backendConfig !== undefined) {
    const file = join(work, 'backend.tfbackend.json');
    await writeFile(file, JSON.stringify(backendConfig), { mode: 0o600 });
    args.push(`-backend-config=${file}`);
  }
  const child = { ...env, TF_DATA_DIR: join(work, 'data'), ...(workspace === undefined ? {} : { TF_WORKSPACE: workspace }) };
  await runTool(ctx.ports.process, { program, args, cwd: directory, effect: 'read', env: child, secretEnv, onLine: (line) => ctx.log(line) }, ctx.signal);
}
