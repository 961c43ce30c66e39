import type { AuditPort } from './audit/port.js';
import type { AwsPort } from './aws/port.js';
import type { Ec2Port } from './ec2/port.js';
import type { EndpointPort } from './endpoint/port.js';
import type { FilesPort } from './files/port.js';
import type { GitPort } from './git/port.js';
import type { HttpPort } from './http/port.js';
import type { KubernetesPort } from './kubernetes/port.js';
import type { OperatorPort } from './operator/port.js';
import type { PostgresPort } from './postgres/port.js';
import type { ProcessPort } from './process/port.js';
import type { S3Port } from './s3/port.js';
import type { InfrastructurePort } from './terraform/port.js';
import type { TerragruntPort } from './terragrunt/port.js';

/** What steps can reach. A step sees these types only; the command line binds the adapters. */
declare module '../engine/define-step.js' {
  interface Ports {
    readonly postgres: PostgresPort;
    readonly process: ProcessPort;
    readonly http: HttpPort;
    readonly endpoints: EndpointPort;
    readonly files: FilesPort;
    readonly kubernetes: KubernetesPort;
    readonly operator: OperatorPort;
    readonly git: GitPort;
    readonly infrastructure: InfrastructurePort;
    readonly s3: S3Port;
    readonly terragrunt: TerragruntPort;
    readonly audit: AuditPort;
    readonly aws: AwsPort;
    readonly ec2: Ec2Port;
  }
}
