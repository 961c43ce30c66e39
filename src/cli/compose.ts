import type { Ports } from '../engine/define-step.js';
import { GuardError } from '../engine/errors.js';
import { createGuard, type Guard } from '../engine/guard.js';
import { guardPolicy } from '../engine/guard/policy.js';
import type { Plan } from '../engine/plan-document.js';
import { Redactor } from '../engine/redact.js';
import type { Scope } from '../engine/scope.js';
import type { World } from '../engine/world.js';
import { auditPort } from '../clients/audit/adapter.js';
import { awsPort } from '../clients/aws/adapter.js';
import { awsShared, type AwsShared } from '../clients/aws/shared.js';
import { ec2Port } from '../clients/ec2/adapter.js';
import { endpointPort } from '../clients/endpoint/adapter.js';
import { Endpoints } from '../clients/endpoint/endpoints.js';
import { filesPort } from '../clients/files/adapter.js';
import { gitPort } from '../clients/git/adapter.js';
import { httpPort } from '../clients/http/adapter.js';
import { kubernetesPort, kubernetesShared, type KubernetesShared } from '../clients/kubernetes/adapter.js';
import { operatorPort } from '../clients/operator/adapter.js';
import type { OperatorPort } from '../clients/operator/port.js';
import { ownPassFiles, postgresPort, postgresShared, type PostgresShared } from '../clients/postgres/adapter.js';
import { processPort } from '../clients/process/adapter.js';
import { s3Port, s3Shared, type S3Shared } from '../clients/s3/adapter.js';
import { infrastructurePort, infrastructureShared, type InfrastructureShared } from '../clients/terraform/adapter.js';
import { terragruntPort, terragruntShared, type TerragruntShared } from '../clients/terragrunt/adapter.js';
import '../clients/ports.js';

/** What the adapters of all scopes of one process share. */
export interface SharedAdapters {
  readonly endpoints: Endpoints;
  readonly operator: OperatorPort;
  readonly kubernetes: KubernetesShared;
  readonly postgres: PostgresShared;
  readonly aws: AwsShared;
  readonly infrastructure: InfrastructureShared;
  readonly s3: S3Shared;
  readonly terragrunt: TerragruntShared;
  readonly redactor: Redactor;
}

/** Without an operator nobody can be asked. `redactor` is the journal's: what adapters find out to be secret goes there first. */
export function sharedAdapters(operator: OperatorPort = operatorPort(undefined, new Map()), redactor = new Redactor()): SharedAdapters {
  return { endpoints: new Endpoints(), operator, kubernetes: kubernetesShared(redactor), postgres: postgresShared(redactor), aws: awsShared(), infrastructure: infrastructureShared(), s3: s3Shared(), terragrunt: terragruntShared(), redactor };
}

/** The only place where ports get their adapters; each is bound to who calls. */
export function bindPorts(shared: SharedAdapters): (scope: Scope, world: World) => Ports {
  return (scope, world) => {
    const process = processPort(scope, { secrets: shared.redactor, env: () => passFileEnv(world) });
    return {
      postgres: postgresPort(scope, world, shared.postgres),
      process,
      http: httpPort(scope),
      endpoints: endpointPort(scope, world, shared.endpoints),
      files: filesPort(scope),
      kubernetes: kubernetesPort(scope, world, shared.kubernetes),
      operator: { manual: (question, began, signal) => shared.operator.manual({ ...question, instructions: shared.redactor.text(question.instructions) }, began, signal) },
      git: gitPort,
      audit: auditPort(scope, world, shared.aws, shared.redactor),
      aws: awsPort(scope, world, shared.aws),
      ec2: ec2Port(scope, world, shared.aws),
      infrastructure: infrastructurePort(scope, world, shared.infrastructure, process),
      s3: s3Port(scope, world, shared.s3),
      terragrunt: terragruntPort(scope, world, shared.terragrunt, process),
    };
  };
}

/** Commands find the servers of this run as Muster does. One that needs other passwords too sets PGPASSFILE itself. */
function passFileEnv(world: World): Record<string, string> {
  const [file] = ownPassFiles(world);
  return file === undefined ? {} : { PGPASSFILE: file };
}

export interface GuardSources {
  readonly plan: Plan;
  readonly world: World;
  /** The run's work folder. */
  readonly ownDirectories: readonly string[];
  /** State and evidence directories. */
  readonly protectedDirectories: readonly string[];
  readonly runbookDir: string;
}

export function guardOf({ plan, ...sources }: GuardSources): Guard {
  return createGuard(guardPolicy({ environment: plan.binding.environment, ...sources }));
}

/** For a run that is only ended: a boundary that cannot be read any more refuses what it must, and not the cleanup as a whole. */
export function guardToEnd(sources: GuardSources): Guard {
  try {
    return guardOf(sources);
  } catch (error) {
    if (!(error instanceof GuardError)) throw error;
    return {
      check() {
        throw error;
      },
    };
  }
}
