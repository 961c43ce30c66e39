import type { StateFacts } from './state.js';
import type { PlanFacts } from './plan-facts.js';
import type { Progress } from './messages.js';

/** What a plan is made of. Everything here comes from the runbook, so that it is documented. */
export interface PlanRequest {
  readonly destroy?: boolean;
  /** Look at the real infrastructure first; default true. */
  readonly refresh?: boolean;
  readonly targets?: readonly string[];
  /** Resources to make anew, whether they differ or not. */
  readonly replace?: readonly string[];
  /** Values of root variables; they travel as TF_VAR_<name>, not on the command line. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** Files of variable values, from the connection's directory on. */
  readonly varFiles?: readonly string[];
}

/** A plan that was saved. It is kept under the digest of its content: nothing else can be applied under that name. */
export interface SavedPlan {
  /** SHA-256 of the plan file, hex. */
  readonly sha256: string;
  readonly facts: PlanFacts;
  /** Of `plan -detailed-exitcode`: 0 no difference, 2 differences. */
  readonly exitCode: number;
  readonly request: PlanRequest;
}

/** The code as it lies on disk. */
export interface CodeFacts {
  /** HEAD; null where there is no repository. */
  readonly commit: string | null;
  /** Files below the folder that are not what HEAD has, sorted; of no repository: all of them. */
  readonly differing: readonly string[];
  /** SHA-256 over the sorted lines "sha256  path" of its files. */
  readonly digest: string;
}

/** For every command that locks the state: a marker chosen beforehand, by which `release` undoes what it left. */
export interface Marked {
  readonly mark: string;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Tool {
  readonly name: 'terraform' | 'opentofu';
  readonly version: string;
  /** Absolute path. */
  readonly program: string;
}

/** Where the state lies, as the backend is configured after `init`. */
export interface Backend {
  readonly type: string;
  /** Settings that are text or true; secrets are left out. */
  readonly settings: Readonly<Record<string, string | boolean>>;
}

/** One output of the root module. `value` is absent where it is sensitive. */
export interface OutputValue {
  readonly name: string;
  readonly sensitive: boolean;
  readonly value?: unknown;
}

/**
 * Infrastructure as code: one root module with one state. Throws StepError `no-such-connection`, `state-locked` (with
 * the owner; never forced), `plan-stale`, `plan-changed`, `state-digest-differs`, `terraform-failed`, `command-not-found`.
 * A lock that the very command took without hearing of it is no such error: see ownLock.
 */
export interface InfrastructurePort {
  /** Absolute folder of the code. */
  directory(connection: string): string;
  code(connection: string): Promise<CodeFacts>;
  /** What the environment lets a drill destroy or replace here: resource addresses, `*` for any text. */
  mayDestroy(connection: string): readonly string[];
  tool(connection: string): Promise<Tool>;
  backend(connection: string): Promise<Backend>;
  plan(connection: string, request: PlanRequest, how: Marked, signal: AbortSignal): Promise<SavedPlan>;
  /** A plan that `plan` has saved, if its bytes are still the same; also one of a process that died. */
  saved(connection: string, sha256: string, signal: AbortSignal): Promise<SavedPlan>;
  /** Applies a plan that `plan` has saved, if its bytes are still the same. */
  apply(connection: string, sha256: string, effect: 'modify' | 'destroy', how: Marked, signal: AbortSignal): Promise<void>;
  outputs(connection: string, signal: AbortSignal): Promise<readonly OutputValue[]>;
  /** The current state, without locking it; null where there is none. Values stay in it: facts only. */
  state(connection: string, signal: AbortSignal): Promise<StateFacts | null>;
  /** What the JSON of a state says, wherever it was read. Throws StepError `not-a-state`. */
  facts(state: string): StateFacts;
  /**
   * Makes `state` (the JSON of an older version) the current one: pushed with the serial after the current one, to which Terraform
   * may add one itself. Throws StepError
   * `wrong-lineage`, `state-moved` when the current serial is no longer `over`.
   */
  push(connection: string, state: string, over: number, how: Marked, signal: AbortSignal): Promise<StateFacts>;
  /** Serials that commands of this process wrote: after `from`, up to `to`; null: it is not known how far. */
  written(connection: string): readonly { readonly from: number; readonly to: number | null }[];
  /**
   * Ends what still runs under `mark` (SIGINT, and time to finish what it has begun), and removes the state lock that it
   * left, if its ID is one that our own command announced in its log. Another's lock is never touched.
   */
  release(connection: string, mark: string, signal: AbortSignal): Promise<void>;
}
