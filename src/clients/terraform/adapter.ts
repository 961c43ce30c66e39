import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../engine/canonical.js';
import { messageOf, StepError } from '../../engine/errors.js';
import type { Effect } from '../../engine/define-step.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import type { ProcessPort } from '../process/port.js';
import { runTool, type ToolCommand, type ToolResult } from './command.js';
import { infrastructureOf, type TerraformDetails } from './details.js';
import { announcedLocks, isUnlocked, ownLock } from './locks.js';
import { planFacts } from './plan-facts.js';
import type { InfrastructurePort, PlanRequest } from './port.js';
import { readBackend } from './backend.js';
import { codeFacts } from './code.js';
import { stateFacts, withSerial, type StateFacts } from './state.js';
import { readVersion } from './versions.js';

type Written = ReturnType<InfrastructurePort['written']>[number];

/** What the ports of all scopes of one process share: which serials our own commands wrote. */
export interface InfrastructureShared {
  readonly written: Map<string, Written[]>;
  /** Commands that have not ended, by their mark: also those that are being told to. */
  readonly running: Map<string, Promise<unknown>>;
}

export function infrastructureShared(): InfrastructureShared {
  return { written: new Map(), running: new Map() };
}

/** Infrastructure as code through the tool's own command line. */
export function infrastructurePort(scope: Scope, world: World, shared: InfrastructureShared, process: ProcessPort): InfrastructurePort {
  const detailsOf = (connection: string) => infrastructureOf(world, connection).details;

  const workOf = (connection: string): TerraformDetails & { readonly work: string } => {
    const details = detailsOf(connection);
    const { work } = details;
    if (work === undefined) throw new StepError('no-such-connection', `connection ${connection} is not there yet`);
    return { ...details, work };
  };

  const run = async (connection: string, args: readonly string[], effect: Effect, signal: AbortSignal, more: Partial<ToolCommand> = {}): Promise<ToolResult> => {
    const details = workOf(connection);
    await scope.access({ kind: 'infrastructure', connection }, effect);
    const log = more.mark === undefined ? {} : { TF_LOG_CORE: 'info', TF_LOG_PATH: logFile(details.work, more.mark) };
    const command: ToolCommand = {
      program: details.program,
      args,
      cwd: details.directory,
      effect,
      ...more,
      env: { ...details.env, ...workspaceEnv(details), TF_DATA_DIR: join(details.work, 'data'), ...log, ...more.env },
      secretEnv: details.secretEnv,
    };
    if (more.mark === undefined) return runTool(process, command, signal);
    const { mark } = more;
    const twice = async (): Promise<ToolResult> => {
      const own = await ownLock(logFile(details.work, mark));
      try {
        return await runTool(process, command, signal);
      } catch (error) {
        const id = await own(error);
        if (id === undefined) throw error;
        await unlock(connection, id, signal);
        return runTool(process, command, signal);
      }
    };
    const ended = twice();
    shared.running.set(mark, ended);
    return ended.finally(() => shared.running.delete(mark));
  };

  const unlock = (connection: string, id: string, signal: AbortSignal): Promise<boolean> => isUnlocked(run(connection, ['force-unlock', '-force', id], 'modify', signal));

  const pull = async (connection: string, signal: AbortSignal): Promise<string | null> => {
    const { stdout } = await run(connection, ['state', 'pull'], 'read', signal);
    return stdout.trim() === '' ? null : stdout;
  };

  const state = async (connection: string, signal: AbortSignal): Promise<StateFacts | null> => {
    const text = await pull(connection, signal);
    const facts = text === null ? null : stateFacts(text);
    // Where nothing was applied yet, the tool makes up an empty state without a lineage.
    return facts === null || facts.lineage === '' ? null : facts;
  };

  /** Runs what writes the state, and notes which serials it wrote. What it began on is refused by the tool once somebody else moved it. */
  const writing = async (connection: string, signal: AbortSignal, work: () => Promise<unknown>): Promise<StateFacts | null> => {
    const before = await state(connection, signal);
    const from = before?.serial ?? -1;
    const earlier = shared.written.get(connection) ?? [];
    const note = (to: number | null) => shared.written.set(connection, [...earlier, { from, to }]);
    note(null);
    let after: StateFacts | null | undefined;
    try {
      await work();
      after = await state(connection, signal);
      return after;
    } finally {
      // Also where it failed half-way: what it wrote is ours. Where it cannot be told how much, all of it may be.
      after ??= await state(connection, scope.signal).catch(() => undefined);
      note(after === undefined ? null : Math.max(from, after?.serial ?? from));
    }
  };

  return {
    directory: (connection) => detailsOf(connection).directory,
    code: (connection) => codeFacts(detailsOf(connection).directory),
    mayDestroy: (connection) => detailsOf(connection).mayDestroy,
    async tool(connection) {
      const { program, directory } = detailsOf(connection);
      return { program, ...(await versionOf(process, program, directory, scope.signal)) };
    },
    async backend(connection) {
      const { work, workspace } = workOf(connection);
      return readBackend(join(work, 'data', 'terraform.tfstate'), workspace);
    },
    async plan(connection, request, { mark, onProgress }, signal) {
      const { work } = workOf(connection);
      const draft = join(work, 'plans', `${mark}.draft`);
      await mkdir(join(work, 'plans'), { recursive: true, mode: 0o700 });
      try {
        // Production is only looked at: not even its lock is taken.
        const lock = infrastructureOf(world, connection).role === 'production' ? ['-lock=false'] : [];
        const { exitCode } = await run(connection, [...planArguments(request, draft), ...lock], 'read', signal, { mark, env: variables(request.vars), okExitCodes: [0, 2], ...(onProgress === undefined ? {} : { onProgress }) });
        const digest = sha256(await readFile(draft));
        const { stdout } = await run(connection, ['show', '-json', draft], 'read', signal);
        await writeFile(requestFile(work, digest), JSON.stringify({ exitCode, request }), { mode: 0o600 });
        await rename(draft, planFile(work, digest));
        return { sha256: digest, facts: planFacts(stdout), exitCode, request };
      } finally {
        await rm(draft, { force: true });
      }
    },
    async saved(connection, digest, signal) {
      const { work } = workOf(connection);
      const file = await intact(work, digest);
      const { stdout } = await run(connection, ['show', '-json', file], 'read', signal);
      const { exitCode, request } = JSON.parse(await readFile(requestFile(work, digest), 'utf8')) as { readonly exitCode: number; readonly request: PlanRequest };
      return { sha256: digest, facts: planFacts(stdout), exitCode, request };
    },
    async apply(connection, digest, effect, { mark, onProgress }, signal) {
      const file = await intact(workOf(connection).work, digest);
      await writing(connection, signal, () => run(connection, ['apply', '-json', '-input=false', file], effect, signal, { mark, outlives: join(workOf(connection).work, mark), ...(onProgress === undefined ? {} : { onProgress }) }));
    },
    async outputs(connection, signal) {
      const { stdout } = await run(connection, ['output', '-json', '-no-color'], 'read', signal);
      const outputs = JSON.parse(stdout) as Record<string, { readonly sensitive?: boolean; readonly value?: unknown }>;
      return Object.entries(outputs).map(([name, { sensitive = false, value }]) => ({ name, sensitive, ...(sensitive ? {} : { value }) }));
    },
    state,
    facts: stateFacts,
    async push(connection, older, over, { mark }, signal) {
      const now = await state(connection, signal);
      const { lineage } = stateFacts(older);
      if (now === null || now.serial !== over) throw new StepError('state-moved', `the current serial is ${now?.serial ?? 'gone'}, ${over} was expected: somebody has written the state since`);
      if (now.lineage !== lineage) throw new StepError('wrong-lineage', `the version has the lineage ${lineage}, the current state has ${now.lineage}: it is another infrastructure's state`);
      const pushed = await writing(connection, signal, () => run(connection, ['state', 'push', '-no-color', '-'], 'modify', signal, { mark, input: withSerial(older, over + 1) }));
      if (pushed === null) throw new StepError('state-moved', 'the state is gone after it was pushed');
      return pushed;
    },
    written: (connection) => shared.written.get(connection) ?? [],
    async release(connection, mark, signal) {
      // Told once already: at a second signal Terraform drops everything at once, and its lock with it.
      await shared.running.get(mark)?.catch(() => undefined);
      await process.endMarked(mark, undefined, 'SIGINT');
      const { work } = workOf(connection);
      for (const id of await announcedLocks(logFile(work, mark))) await unlock(connection, id, signal);
      await rm(logFile(work, mark), { force: true });
    },
  };
}

/** The file of a saved plan. Throws StepError `no-such-plan`, `plan-changed`. */
async function intact(work: string, digest: string): Promise<string> {
  const file = planFile(work, digest);
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new StepError('no-such-plan', `no plan ${digest.slice(0, 12)} was saved in this run: ${messageOf(error)}`);
  });
  if (sha256(bytes) !== digest) throw new StepError('plan-changed', `the saved plan ${digest.slice(0, 12)} is not the one that was shown: its digest has changed`, { hint: 'Plan again, and have the new plan looked at.' });
  return file;
}

export async function versionOf(process: ProcessPort, program: string, cwd: string, signal: AbortSignal): Promise<{ readonly name: 'terraform' | 'opentofu'; readonly version: string }> {
  const ask = async (...args: string[]) => (await runTool(process, { program, args: ['version', ...args], cwd, effect: 'read' }, signal)).stdout;
  return readVersion(await ask('-json'), await ask());
}

function workspaceEnv({ workspace }: TerraformDetails): Record<string, string> {
  return workspace === undefined ? {} : { TF_WORKSPACE: workspace };
}

const planFile = (work: string, digest: string): string => join(work, 'plans', `${digest}.tfplan`);
/** What the plan was asked for, beside it. */
const requestFile = (work: string, digest: string): string => join(work, 'plans', `${digest}.json`);
const logFile = (work: string, mark: string): string => join(work, `${mark}.log`);

function planArguments({ destroy, refresh, targets = [], replace = [], varFiles = [] }: PlanRequest, out: string): string[] {
  return [
    'plan', '-json', '-input=false', '-detailed-exitcode', `-out=${out}`,
    ...(destroy === true ? ['-destroy'] : []),
    ...(refresh === false ? ['-refresh=false'] : []),
    ...targets.map((target) => `-target=${target}`),
    ...replace.map((address) => `-replace=${address}`),
    ...varFiles.map((file) => `-var-file=${file}`),
  ];
}

/** Text as it is, everything else as JSON, which Terraform reads by the variable's type. */
export function variables(vars: Readonly<Record<string, unknown>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(vars).map(([name, value]) => [`TF_VAR_${name}`, typeof value === 'string' ? value : JSON.stringify(value)]));
}
