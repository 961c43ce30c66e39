import { auditPort } from '../../../src/clients/audit/adapter.js';
import { awsPort } from '../../../src/clients/aws/adapter.js';
import { awsShared } from '../../../src/clients/aws/shared.js';
import { ec2Port } from '../../../src/clients/ec2/adapter.js';
import { endpointPort } from '../../../src/clients/endpoint/adapter.js';
import { Endpoints } from '../../../src/clients/endpoint/endpoints.js';
import { filesPort } from '../../../src/clients/files/adapter.js';
import { gitPort } from '../../../src/clients/git/adapter.js';
import { httpPort } from '../../../src/clients/http/adapter.js';
import { kubernetesPort, kubernetesShared } from '../../../src/clients/kubernetes/adapter.js';
import { operatorPort } from '../../../src/clients/operator/adapter.js';
import type { Answers } from '../../../src/clients/operator/answers.js';
import { postgresPort, postgresShared } from '../../../src/clients/postgres/adapter.js';
import { processPort } from '../../../src/clients/process/adapter.js';
import { s3Port, s3Shared } from '../../../src/clients/s3/adapter.js';
import { infrastructurePort, infrastructureShared } from '../../../src/clients/terraform/adapter.js';
import { terragruntPort, terragruntShared } from '../../../src/clients/terragrunt/adapter.js';
import '../../../src/clients/ports.js';
import { systemClock } from '../../../src/engine/clock.js';
import type { Ports, StepContext } from '../../../src/engine/define-step.js';
import { StepError } from '../../../src/engine/errors.js';
import type { Scope } from '../../../src/engine/scope.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { scopeFor } from '../../clients/lib/scope.js';

export interface Setting {
  readonly scope?: Scope;
  readonly world?: LiveWorld;
  readonly endpoints?: Endpoints;
  readonly answers?: Answers;
  readonly runbookDir?: string;
  readonly signal?: AbortSignal;
}

/** The real adapters. */
export function realPorts({ scope = scopeFor(), world = new LiveWorld(), endpoints = new Endpoints(), answers = new Map() }: Setting = {}): Ports {
  const aws = awsShared();
  return {
    postgres: postgresPort(scope, world, postgresShared()),
    process: processPort(scope),
    http: httpPort(scope),
    endpoints: endpointPort(scope, world, endpoints),
    files: filesPort(scope),
    kubernetes: kubernetesPort(scope, world, kubernetesShared()),
    operator: operatorPort(undefined, answers),
    git: gitPort,
    audit: auditPort(scope, world, aws, { add: () => undefined }),
    aws: awsPort(scope, world, aws),
    ec2: ec2Port(scope, world, aws),
    infrastructure: infrastructurePort(scope, world, infrastructureShared(), processPort(scope)),
    s3: s3Port(scope, world, s3Shared()),
    terragrunt: terragruntPort(scope, world, terragruntShared(), processPort(scope)),
  };
}

/** What a step told the engine, in order. */
export type Told = readonly [what: string, data: unknown];

/** A context on real adapters that writes down what the step tells it. `probes` answers for probes of the run. */
export function contextFor(setting: Setting = {}, probes: Readonly<Record<string, { healthy: boolean | null; next: () => Promise<void> }>> = {}): StepContext & { readonly told: Told[] } {
  const told: Told[] = [];
  const clock = systemClock();
  const tell = (what: string, data: unknown): Promise<void> => Promise.resolve(void told.push([what, data]));
  const probe = (id: string): { healthy: boolean | null; next: () => Promise<void> } => {
    const known = probes[id];
    if (known === undefined) throw new StepError('no-such-probe', id);
    return known;
  };
  return {
    told,
    runId: setting.scope?.runId ?? 'run-1',
    stepId: 'step',
    phase: 'verify',
    signal: setting.signal ?? new AbortController().signal,
    runbookDir: setting.runbookDir ?? '/',
    workDir: setting.runbookDir ?? '/',
    clock,
    ports: realPorts(setting),
    log: (line) => void told.push(['log', line]),
    evidence: (kind, data) => tell(`evidence ${kind}`, data),
    defer: async (call) => {
      await tell('defer', call);
      return { confirm: (identity) => tell('confirm', identity), done: () => tell('done', call.uses) };
    },
    fault: async (detail, at) => {
      await tell('fault', { detail, at });
      return { ...clock.now(), ...(at === undefined ? {} : { at }) };
    },
    probe: (id) => ({ healthy: probe(id).healthy }),
    nextSample: (id) => probe(id).next(),
    provision: (connection) => tell('provision', connection),
    human: (kind, data) => tell(`human ${kind}`, data),
    unit: (kind, data) => tell(`unit ${kind}`, data),
  };
}

/** What was told under `what`. */
export function toldOf(context: { readonly told: readonly Told[] }, what: string): unknown[] {
  return context.told.filter(([kind]) => kind === what).map(([, data]) => data);
}

