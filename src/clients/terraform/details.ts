import { StepError } from '../../engine/errors.js';
import type { World, WorldConnection } from '../../engine/world.js';

/** `details` of a connection of kind `infrastructure` that the provisioner `terraform` made. JSON, no secrets. */
export interface TerraformDetails {
  readonly tool: 'terraform' | 'opentofu';
  readonly version: string;
  /** Absolute path of the program, which boundary.commands must list. */
  readonly program: string;
  /** Absolute folder of the root module. */
  readonly directory: string;
  /** The run's own folder: TF_DATA_DIR, saved plans and logs. Absent where the run has not made it yet. */
  readonly work?: string;
  readonly workspace?: string;
  /** Added to the environment of every command. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables of Muster's own environment that are passed on; their values are secret. */
  readonly secretEnv: readonly string[];
  readonly mayDestroy: readonly string[];
}

/** Throws StepError `no-such-connection`, `not-terraform`. */
export function infrastructureOf(world: World, name: string): WorldConnection & { readonly details: TerraformDetails } {
  const connection = world.connections.get(name);
  if (connection === undefined) throw new StepError('no-such-connection', `the environment has no connection ${JSON.stringify(name)} that is there now`);
  const { details } = connection;
  if (!isDetails(details)) throw new StepError('not-terraform', `connection ${name} is not provisioned by "terraform"`);
  return { ...connection, details };
}

function isDetails(details: unknown): details is TerraformDetails {
  return typeof details === 'object' && details !== null && 'program' in details && 'directory' in details && 'tool' in details && 'mayDestroy' in details && !('terragrunt' in details);
}
