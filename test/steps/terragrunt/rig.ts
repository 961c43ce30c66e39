import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provisioner } from '../../../src/clients/provision/terragrunt.js';
import { systemClock } from '../../../src/engine/clock.js';
import type { StepContext, StepDefinition } from '../../../src/engine/define-step.js';
import type { EvidenceKind, EvidenceOf } from '../../../src/engine/kinds/index.js';
import { stateFacts } from '../../../src/clients/terraform/state.js';
import { packageRoot } from '../../../src/engine/package-root.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { startStateStore, type StateStore } from '../../components/terraform/aws.js';
import { commit } from '../../components/terraform/code.js';
import { terragrunt } from '../../components/terragrunt.js';
import { scopeFor } from '../../clients/lib/scope.js';
import { contextFor, realPorts, type Told } from '../lib/context.js';

type Ran = Record<string, unknown>;

/** A stack of its own: code, states, and steps that are run on it one by one. */
export interface Stack {
  /** Folder of the code. */
  readonly code: string;
  readonly store: StateStore;
  /** What the last step told the engine. */
  readonly told: readonly Told[];
  run(step: StepDefinition, input: Record<string, unknown>, signal?: AbortSignal): Promise<Ran>;
  /** Runs a cleanup that a step has registered. */
  cleanUp(step: StepDefinition, call: { readonly uses: string; readonly with: Record<string, unknown> }): Promise<void>;
  evidence<K extends EvidenceKind>(kind: K): EvidenceOf<K>[];
  commit(message: string): void;
  /** Terragrunt as a colleague calls it, in the folder of a unit or of all. */
  byHand(unit: string, ...args: string[]): Promise<string>;
  /** Addresses in the state of a unit. */
  holds(unit: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export interface StackOptions {
  /** Units of the estate to leave out. */
  readonly without?: readonly string[];
  readonly edit?: (code: string) => void;
  readonly mayDestroy?: readonly string[];
  /** Instead of terraform: a file of the estate. */
  readonly terraform?: string;
}

const { signal: never } = new AbortController();

export async function startStack({ without = [], edit, mayDestroy = ['*'], terraform }: StackOptions = {}): Promise<Stack> {
  const store = await startStateStore();
  const folder = mkdtempSync(join(tmpdir(), 'muster-terragrunt-'));
  const before = { ...process.env };
  const added: Record<string, string> = { ...store.env, AWS_ACCESS_KEY_ID: 'AKIADRILL00000000001', AWS_SECRET_ACCESS_KEY: 'c4n4ry-of-the-rebuild' };
  Object.assign(process.env, added);
  const code = join(folder, 'estate');
  cpSync(join(packageRoot(), 'test/fixtures/estate'), code, { recursive: true });
  for (const unit of without) rmSync(join(code, unit), { recursive: true });
  edit?.(code);
  commit(code, 'Build the estate');
  const world = new LiveWorld();
  const scope = scopeFor();
  const { program } = await terragrunt();
  const workDir = join(folder, 'work');
  mkdirSync(workDir);
  const input = { directory: code, binary: program, env: { STATE_BUCKET: 'states' }, mayDestroy: [...mayDestroy], ...(terraform === undefined ? {} : { terraform: join(code, terraform) }) };
  const base = { runId: 'run-1', signal: never, ports: realPorts({ scope, world }), clock: systemClock(), log: () => undefined };
  const details = await provisioner.provision(input, { ...base, connection: 'stack', role: 'target', workDir, runbookDir: folder, secret: () => undefined, defer: () => Promise.resolve({ confirm: () => Promise.resolve(), done: () => Promise.resolve() }) });
  world.apply({ type: 'connection.provisioned', data: { connection: 'stack', kind: 'infrastructure', role: 'target', provision: 'terragrunt', details } });
  const byHand = async (unit: string, ...args: string[]): Promise<string> => {
    const { TF_CLI_CONFIG_FILE: _config, ...env } = process.env;
    const argv = ['run', '--non-interactive', '--no-color', '--download-dir', join(folder, 'by-hand'), '--', ...args];
    return (await promisify(execFile)(program, argv, { cwd: join(code, unit), env: { ...env, STATE_BUCKET: 'states', MUSTER_RUN: 'run-1' }, maxBuffer: 1 << 26 })).stdout;
  };
  let last: { readonly told: readonly Told[] } = { told: [] };
  return {
    code,
    store,
    get told() {
      return last.told;
    },
    async run(step, given, signal) {
      const ctx: StepContext & { readonly told: Told[] } = contextFor({ scope, world, runbookDir: folder, ...(signal === undefined ? {} : { signal }) });
      last = ctx;
      return (await step.run({ infrastructure: 'stack', ...given }, ctx)) as Ran;
    },
    async cleanUp(step, { uses, with: data }) {
      await step.cleanups?.[uses.slice(uses.lastIndexOf('/') + 1)]?.run(data, undefined, base);
    },
    evidence: <K extends EvidenceKind>(kind: K) => last.told.filter(([what]) => what === `evidence ${kind}`).map(([, data]) => data as EvidenceOf<K>),
    commit: (message) => commit(code, message),
    byHand,
    async holds(unit) {
      const text = await byHand(unit, 'state', 'pull');
      return text.trim() === '' ? [] : stateFacts(text).resources;
    },
    async stop() {
      for (const name of Object.keys(added)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      rmSync(folder, { recursive: true, force: true });
      await store.stop();
    },
  };
}

/** Everything but the chain network, keys, cluster. */
export const small = ['dns', 'nodes', 'cache', 'queue', 'ingress', 'services'];
