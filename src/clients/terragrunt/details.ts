import { StepError } from '../../engine/errors.js';
import type { World } from '../../engine/world.js';

/** `details` of a connection of kind `infrastructure` that the provisioner `terragrunt` made. JSON, no secrets. */
export interface TerragruntDetails {
  /** Version of Terragrunt; it also says that this is no plain Terraform. */
  readonly terragrunt: string;
  /** Absolute path of terragrunt; the guard lets the connection run it. */
  readonly command: string;
  /** Absolute path of terraform or tofu. */
  readonly terraform: string;
  /** The same: by this name the guard lets the connection run it, too. */
  readonly binaries: string;
  /** Absolute folder that holds the units. */
  readonly directory: string;
  /** The run's own folder: working copies, saved plans, reports and logs. Absent where the run has not made it yet. */
  readonly work?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secretEnv: readonly string[];
  readonly mayDestroy: readonly string[];
  /** How many units side by side. */
  readonly parallelism: number;
}

/** Throws StepError `no-such-connection`. */
export function stackOf(world: World, name: string): TerragruntDetails {
  const details: unknown = world.connections.get(name)?.details;
  if (details === undefined) throw new StepError('no-such-connection', `the environment has no connection ${JSON.stringify(name)} that is there now`);
  if (!isDetails(details)) throw new StepError('not-terragrunt', `connection ${name} is no infrastructure that Terragrunt manages`, { hint: 'Give it provision: terragrunt.' });
  return details;
}

function isDetails(details: unknown): details is TerragruntDetails {
  return typeof details === 'object' && details !== null && 'terragrunt' in details && 'command' in details && 'directory' in details;
}
