import type { StepError } from '../../engine/errors.js';
import type { PlanFacts } from '../terraform/plan-facts.js';
import type { StateFacts } from '../terraform/state.js';

/** A folder with a state of its own, by its path from the connection's directory on. */
export interface Unit {
  readonly unit: string;
  /** The units whose outputs or mere existence it needs. */
  readonly after: readonly string[];
}

/** What is planned. All of it comes from the runbook, so that it is documented. */
export interface StackPlanRequest {
  /** Default: all. */
  readonly units?: readonly string[];
  /** Added to the environment of every child: flags such as ENABLE_CNPG. */
  readonly env: Readonly<Record<string, string>>;
  readonly targets: readonly string[];
  readonly destroy: boolean;
}

export interface UnitPlan extends Unit {
  /** Of the saved plan. */
  readonly sha256: string;
  readonly facts: PlanFacts;
  /** A unit that it hangs on is yet to be altered: its outputs may be mocks, and the plan has to be made again. */
  readonly provisional: boolean;
}

/** Plans that were saved together, under the digest of what they are and of the code that they were made of. */
export interface StackPlan extends Omit<StackPlanRequest, 'units'> {
  readonly id: string;
  readonly units: readonly UnitPlan[];
  /** SHA-256 of each file of the code, by path. */
  readonly code: Readonly<Record<string, string>>;
}

/** How one unit fared, as Terragrunt's own report says. UTC, ISO 8601. */
export interface UnitRun {
  readonly unit: string;
  readonly started: string;
  readonly ended: string;
  readonly result: string;
  readonly reason: string | null;
  readonly cause: string | null;
}

export interface StackHow {
  /** Chosen beforehand; `release` undoes by it what a command left. */
  readonly mark: string;
  /** The first line that a unit wrote. */
  readonly onUnit?: (unit: string) => void;
  readonly onLine?: (line: string) => void;
}

export interface UnitState {
  readonly unit: string;
  /** null where there is none. */
  readonly state: StateFacts | null;
}

export interface UnitOutputs {
  readonly unit: string;
  /** `value` is absent where it is sensitive. */
  readonly outputs: readonly { readonly name: string; readonly sensitive: boolean; readonly value?: unknown }[];
}

/**
 * Infrastructure in many units, by Terragrunt 0.90 or later: `run --all`, never the removed run-all. Throws StepError
 * `no-such-connection`, `no-such-plan`, `plan-changed`, `plan-stale`, `state-locked` (with the owner; never forced),
 * `unit-failed`, `terragrunt-failed`, `no-report`. A lock that the very command took without hearing of it is no such error: see ownLock.
 */
export interface TerragruntPort {
  /** Absolute folder of the code. */
  directory(connection: string): string;
  /** What the environment lets a drill destroy or replace here: `<unit> <address>`, `*` for any text. */
  mayDestroy(connection: string): readonly string[];
  versions(connection: string): Promise<{ readonly terragrunt: string; readonly terraform: string }>;
  /** In the order of their dependencies. */
  units(connection: string, env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly Unit[]>;
  /** SHA-256 of every file of the code, by its path from the directory on; caches and what Terraform leaves are none. */
  code(connection: string): Promise<Readonly<Record<string, string>>>;
  /** Plans with refresh and saves the plans. Resolves also where units came through with a reason of their own: `runs` tells. `units`: all that there are. */
  plan(connection: string, request: StackPlanRequest, how: StackHow, signal: AbortSignal): Promise<{ readonly plan: StackPlan; readonly runs: readonly UnitRun[]; readonly units: readonly Unit[] }>;
  /** A plan by its id, if its bytes are still those that were shown and the code is that which it was made of. */
  saved(connection: string, id: string): Promise<StackPlan>;
  /** Applies the saved plans of some units, side by side. Resolves to what the report says, also where units failed. */
  apply(connection: string, plan: StackPlan, units: readonly string[], effect: 'modify' | 'destroy', how: StackHow, signal: AbortSignal): Promise<readonly UnitRun[]>;
  /** What is wrong with a run in which units failed or were not begun, in Terraform's own words; a lock with its owner. */
  failureOf(command: string, runs: readonly UnitRun[]): StepError | undefined;
  /** Without locking them. */
  states(connection: string, units: readonly string[], env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly UnitState[]>;
  outputs(connection: string, units: readonly string[], env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly UnitOutputs[]>;
  /** For cleanups: destroys everything in these units, dependents first, without a saved plan. */
  destroyAll(connection: string, units: readonly string[], env: Readonly<Record<string, string>>, how: StackHow, signal: AbortSignal): Promise<readonly UnitRun[]>;
  /**
   * Ends what still runs under `mark` (SIGINT, and time to finish what it has begun), and removes the state locks that it left in these
   * units, if their IDs are among those that our own commands announced. Another's lock is never touched.
   */
  release(connection: string, mark: string, units: readonly string[], env: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
}
