import type { Ports } from '../define-step.js';
import type { Environment, Runbook } from '../documents.js';
import type { Loaded } from '../load.js';
import type { PlanBinding } from '../plan-document.js';
import type { Registry } from '../registry.js';
import type { ResolvedInputs } from './inputs.js';

export type GitFacts = PlanBinding['runbook']['git'];

/** What a plan is made of. */
export interface PlanRequest {
  /** Already checked against each other (load.ts). */
  readonly runbook: Loaded<Runbook>;
  readonly environment: Loaded<Environment>;
  /** Relative paths of the documents start here. */
  readonly cwd: string;
  readonly inputs: ResolvedInputs;
  /** Version of Muster. */
  readonly tool: string;
  readonly registry: Registry;
  /** For definitions that read while planning; they must not alter anything. */
  readonly ports: Ports;
  readonly signal: AbortSignal;
  /** What git knows of a file; null when there is no repository. */
  readonly git: (path: string) => Promise<GitFacts>;
}
