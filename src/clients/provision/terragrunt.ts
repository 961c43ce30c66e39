import { chmod, mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Type, type Static } from 'typebox';
import { defineProvisioner } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { SecretEnv, Variable } from './lib/command-env.js';
import { findProgram } from '../process/which.js';
import { versionOf } from '../terraform/adapter.js';
import { checkVersion } from '../terraform/versions.js';
import { defaultParallelism, terragruntVersion } from '../terragrunt/adapter.js';
import type { TerragruntDetails } from '../terragrunt/details.js';
import { checkTerragruntVersion } from '../terragrunt/versions.js';

const input = Type.Object(
  {
    directory: Type.String({ minLength: 1, description: "Folder that holds the units, from the runbook's folder on" }),
    binary: Type.Optional(Type.String({ minLength: 1, default: 'terragrunt', description: 'terragrunt 0.90 or later: a name on PATH, or an absolute path' })),
    terraform: Type.Optional(Type.String({ minLength: 1, default: 'terraform', description: 'terraform or tofu: a name on PATH, or an absolute path' })),
    env: Type.Optional(Type.Record(Type.String({ pattern: Variable }), Type.String(), { description: 'Added to the environment of every command: the account, the state bucket; no secrets' })),
    secretEnv: SecretEnv,
    parallelism: Type.Optional(Type.Integer({ minimum: 1, description: 'How many units side by side; default: twice the cores of this machine' })),
    mayDestroy: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'What a drill may destroy or replace here, as `<unit> <resource address>`; `*` stands for any text' })),
  },
  strict,
);
type Input = Static<typeof input>;

/** Units of Terragrunt as they lie on disk. Nothing is written into their folders: working copies, saved plans and logs are the run's. */
export const provisioner = defineProvisioner({
  type: 'terragrunt',
  kinds: ['infrastructure'],
  summary: 'A folder of Terragrunt units (0.90 or later), each with its own state.',
  input,
  protects: ({ directory }) => [`infrastructure:${directory}`],
  permissions: ({ binary = 'terragrunt', terraform = 'terraform', directory }) => [{ system: 'command', command: binary }, { system: 'command', command: terraform }, { system: 'path', path: directory, access: 'read' }],
  plan: ({ directory, binary = 'terragrunt', terraform = 'terraform' }) => ({ does: `Uses the Terragrunt units in ${directory}`, calls: [`${binary} --version`, `${terraform} version -json`] }),
  existing: async (given, { runbookDir }) => ({ ...(await placed(given, runbookDir)), terragrunt: 'not asked yet' }),
  async preflight(_given, ctx) {
    const { terragrunt, terraform } = await ctx.ports.terragrunt.versions(ctx.connection);
    checkTerragruntVersion(terragrunt);
    checkVersion('terraform', terraform);
    return [{ id: 'tool', result: 'passed', detail: `terragrunt ${terragrunt} with terraform ${terraform}` }];
  },
  async provision(given, ctx) {
    const found = await placed(given, ctx.runbookDir);
    const terragrunt = await terragruntVersion(ctx.ports.process, found.command, found.directory, ctx.signal);
    checkTerragruntVersion(terragrunt);
    const tool = await versionOf(ctx.ports.process, found.terraform, found.directory, ctx.signal);
    checkVersion(tool.name, tool.version);
    // Working copies, plans and logs may hold what Terraform treats as secret: nobody else may enter.
    const work = join(ctx.workDir, 'terragrunt');
    await mkdir(join(work, 'plans'), { recursive: true });
    await chmod(work, 0o700);
    return { ...found, terragrunt, work } satisfies TerragruntDetails;
  },
});

async function placed({ directory, binary = 'terragrunt', terraform = 'terraform', env = {}, secretEnv = [], mayDestroy = [], parallelism }: Input, runbookDir: string) {
  const folder = resolve(runbookDir, directory);
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) throw new StepError('no-infrastructure-code', `there is no folder ${folder}`);
  const [command, tool] = await Promise.all([programOf(binary), programOf(terraform)]);
  return { command, terraform: tool, binaries: tool, directory: folder, env, secretEnv, mayDestroy, parallelism: parallelism ?? defaultParallelism() };
}

async function programOf(name: string): Promise<string> {
  const found = await findProgram(name, '/');
  if (found === undefined) throw new StepError('command-not-found', `there is no program ${name}`, { hint: 'Install it, or give its absolute path.' });
  return found;
}
