import { dirname, isAbsolute } from 'node:path';
import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import { AwsBoundary as AwsBoundarySchema } from '../documents.js';
import type { PlanBinding } from '../plan-document.js';
import type { World } from '../world.js';
import { kubernetesBoundary, type KubernetesBoundary } from './kubernetes.js';

const AwsPlace = Type.Object({ account: Type.String(), region: Type.String(), tag: Type.Object({ key: Type.String(), value: Type.String() }) });

/** One entry of `boundary.aws`. */
export interface AwsBoundary {
  readonly account: string;
  readonly regions: readonly string[];
  readonly tag: AwsTag;
}

export interface AwsTag {
  readonly key: string;
  readonly value: string;
}

type Role = 'production' | 'source' | 'target';

/** What the guard knows of one connection of the environment. */
export interface GuardedConnection {
  readonly name: string;
  readonly role: Role;
  /** Where its server listens, once that is known. */
  readonly host?: string;
  readonly port?: number;
  /** The IP address behind `host`, where it is a name that was resolved. */
  readonly address?: string;
  /** Folders that belong to it: data directory, repository. */
  readonly directories: readonly string[];
  /** Programs that belong to it, and folders of them: the server's own binaries. */
  readonly programs: readonly string[];
  /** What it stands for in AWS. */
  readonly aws?: { readonly account: string; readonly region: string; readonly tag: AwsTag };
}

export interface GuardedEndpoint {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly to: string | null;
  /** A forwarder of ours: while it leads nowhere, nothing can be altered through it. */
  readonly ours: boolean;
}

/** All that the guard decides by. `connections` and `endpoints` are asked each time: a run makes them as it goes. */
export interface GuardPolicy {
  /** boundary.hosts, directories and commands as the environment gives them. */
  readonly hosts: readonly string[];
  readonly directories: readonly string[];
  readonly commands: readonly string[];
  /** boundary.kubernetes. */
  readonly kubernetes?: readonly KubernetesBoundary[];
  /** boundary.aws; default: nothing. */
  readonly aws?: readonly AwsBoundary[];
  /** boundary.buckets: `bucket` or `bucket/prefix`; default: nothing. */
  readonly buckets?: readonly string[];
  /** `host:port` that only a connect-only check may try. */
  readonly forbidden: readonly string[];
  /** What is inside implicitly: the run's own work folder. */
  readonly ownDirectories: readonly string[];
  /** State and evidence of this and other runs: out of everybody's reach, but for `ownDirectories` in them. */
  readonly protectedDirectories: readonly string[];
  /** The runbook's folder: may be read and be a command's working directory, and is never written. */
  readonly runbookDir: string;
  /** Programs, and folders of programs, that Muster itself brings. */
  readonly ownPrograms: readonly string[];
  /** Bare names of commands are looked up here, once. */
  readonly path: string;
  readonly connections: () => Iterable<GuardedConnection>;
  readonly endpoints: () => Iterable<GuardedEndpoint>;
}

export interface PolicySource {
  /** The environment as the plan embeds it. */
  readonly environment: Pick<PlanBinding['environment'], 'connections' | 'endpoints' | 'boundary' | 'forbidden'>;
  readonly world: World;
  readonly ownDirectories: readonly string[];
  readonly protectedDirectories?: readonly string[];
  readonly runbookDir: string;
  readonly ownPrograms?: readonly string[];
  /** PATH; default: this process's. */
  readonly path?: string;
}

/** The policy of an environment. An `existing` connection counts with the host and port that its `with` gives. */
export function guardPolicy({ environment, world, ownDirectories, protectedDirectories = [], runbookDir, ownPrograms = [], path = process.env['PATH'] ?? '' }: PolicySource): GuardPolicy {
  const boundary = record(environment.boundary);
  return {
    hosts: strings(boundary['hosts']),
    directories: strings(boundary['directories']),
    commands: strings(boundary['commands']),
    kubernetes: kubernetesBoundary(boundary['kubernetes']),
    aws: Array.isArray(boundary['aws']) ? boundary['aws'].filter((entry: unknown) => Check(AwsBoundarySchema, entry)) : [],
    buckets: strings(boundary['buckets']),
    forbidden: environment.forbidden,
    ownDirectories,
    protectedDirectories,
    runbookDir,
    ownPrograms,
    path,
    *connections() {
      for (const [name, connection] of Object.entries(environment.connections)) {
        yield guarded(name, connection.role, world.connections.get(name)?.details ?? connection.with);
      }
    },
    *endpoints() {
      for (const [name, endpoint] of Object.entries(environment.endpoints)) {
        const open = world.endpoints.get(name);
        const [host, port] = [open?.host ?? endpoint.host, open?.port ?? endpoint.port];
        if (host !== null && port !== null) yield { name, host, port, to: open?.to ?? endpoint.to, ours: endpoint.provision === 'forwarder' };
      }
    },
  };
}

function guarded(name: string, role: Role, details: Readonly<Record<string, unknown>>): GuardedConnection {
  const { host, port, address, path, command, binaries } = details;
  const local = record(details['local']);
  return {
    name,
    role,
    ...(typeof host === 'string' ? { host } : {}),
    ...(typeof port === 'number' ? { port } : {}),
    ...(typeof address === 'string' ? { address } : {}),
    directories: strings([local['dataDir'], path, details['directory'], typeof local['logFile'] === 'string' ? dirname(local['logFile']) : undefined]).filter(isAbsolute),
    programs: strings([local['binDir'], binaries, command]).filter(isAbsolute),
    ...(Check(AwsPlace, details) ? { aws: { account: details.account, region: details.region, tag: details.tag } } : {}),
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
