import type { Effect } from './define-step.js';
import { GuardError, messageOf } from './errors.js';
import { checkAws } from './guard/aws.js';
import { outsideBuckets } from './guard/buckets.js';
import { allowedPrograms, escapingVariable, isAllowedProgram, isOwnProgram } from './guard/commands.js';
import { allows, canonicalHost, hostPort, isPort, mayBe, parseHostPattern, type HostPattern } from './guard/hosts.js';
import { outsideKubernetes } from './guard/kubernetes.js';
import { isWithin, realOf } from './guard/paths.js';
import type { GuardedConnection, GuardPolicy } from './guard/policy.js';
import { refuse, type Attempt } from './guard/refuse.js';
import type { Target } from './scope.js';

/** Decides on each call before it is sent. */
export interface Guard {
  /**
   * Throws GuardError when `target` is outside the boundary or would be altered and is production. The message says
   * what was refused, why, and which line of the environment would allow it. Sends nothing itself.
   */
  check(target: Target, effect: Effect): void;
}

/** Throws GuardError at once when the environment's own boundary cannot be read. */
export function createGuard(policy: GuardPolicy): Guard {
  const hosts = patterns(policy.hosts, 'boundary.hosts');
  const forbidden = patterns(policy.forbidden, 'forbidden');
  const own = policy.ownDirectories.map(root);
  const directories = [...policy.directories.map(root), ...own];
  const closed = policy.protectedDirectories.map(root);
  const runbookDir = root(policy.runbookDir);
  const programs = allowedPrograms(policy.commands, policy.path);

  const address = (host: string, port: number, resolved: string | undefined, attempt: Attempt): void => {
    const asked = canonicalHost(host);
    const real = resolved === undefined ? undefined : canonicalHost(resolved);
    if (asked === undefined || (resolved !== undefined && real === undefined)) refuse(attempt, `${JSON.stringify(host)} is not one host`, []);
    if (!isPort(port)) refuse(attempt, `${port} is no port`, []);
    const forms = real === undefined ? [asked] : [asked, real];
    const among = (known: readonly HostPattern[], matches: typeof allows): boolean => known.some((pattern) => forms.some((form) => matches(pattern, form, port)));

    if (among(forbidden, mayBe)) refuse(attempt, 'the environment lists it under "forbidden"', []);
    const connections = [...policy.connections()];
    const endpoints = [...policy.endpoints()];
    if (attempt.effect !== 'read') {
      for (const connection of connections) {
        if (connection.role === 'production' && among(everyForm(connection), mayBe)) refuse(attempt, `it is connection "${connection.name}" of role production, which is read-only`, []);
      }
      for (const endpoint of endpoints) if (among(placed(endpoint), mayBe)) checkEndpoint(endpoint.name, attempt);
    }
    const inside = [...hosts, ...connections.flatMap(placed), ...endpoints.flatMap(placed)];
    // A name that is only listed as loopback must not lead elsewhere.
    const escapes = asked === 'localhost' && real !== undefined && real !== '127.0.0.1' && real !== '::1';
    if (!escapes && among(inside, allows)) return;
    refuse(attempt, `it is outside the boundary${real === undefined || real === asked ? '' : ` (it resolves to ${real})`}`, [`boundary: { hosts: ["${hostPort(asked, port)}"] }`]);
  };

  const checkEndpoint = (name: string, attempt: Attempt): void => {
    const endpoint = [...policy.endpoints()].find((candidate) => candidate.name === name);
    if (endpoint === undefined) refuse(attempt, 'the environment has no such endpoint', [`endpoints: { ${name}: { provision: forwarder } }`]);
    if (attempt.effect === 'read') return;
    if (endpoint.to === null) {
      if (!endpoint.ours) refuse(attempt, `it is not known which connection is behind endpoint "${name}"`, [`endpoints: { ${name}: { to: <a connection of role source or target> } }`]);
      return;
    }
    checkRole(endpoint.to, attempt);
  };

  const checkRole = (name: string, attempt: Attempt): void => {
    const connection = [...policy.connections()].find((candidate) => candidate.name === name);
    if (connection === undefined) refuse(attempt, `the environment has no connection "${name}"`, []);
    if (connection.role === 'production') refuse(attempt, `connection "${name}" has the role production, which is read-only`, []);
  };

  const path = (name: string, attempt: Attempt, readable: boolean): void => {
    let real: string;
    try {
      real = realOf(name);
    } catch (error) {
      refuse(attempt, messageOf(error), []);
    }
    const connections = [...policy.connections()];
    const owners = connections.filter((connection) => connection.directories.some((folder) => isWithin(root(folder), real)));
    const ours = own.some((folder) => isWithin(folder, real));
    if (attempt.effect !== 'read') {
      // Also what holds it: removing or replacing a parent takes what is in it along.
      const production = connections.find(({ role, directories: folders }) => role === 'production' && folders.some((folder) => isWithin(root(folder), real) || isWithin(real, root(folder))));
      if (production !== undefined) refuse(attempt, `it ${owners.includes(production) ? 'belongs to' : 'holds files of'} connection "${production.name}" of role production, which is read-only`, []);
      if (!ours && closed.some((folder) => isWithin(real, folder))) refuse(attempt, 'it holds the state or the evidence of drills', []);
    }
    if (!ours && owners.length === 0 && closed.some((folder) => isWithin(folder, real))) refuse(attempt, 'it belongs to the state or the evidence of drills, which no step may touch', []);
    if (owners.length > 0 || directories.some((folder) => isWithin(folder, real)) || (readable && isWithin(runbookDir, real))) return;
    refuse(attempt, `it is outside the boundary${real === name ? '' : ` (it leads to ${real})`}`, [`boundary: { directories: ["${real}"] }`]);
  };

  const command = (target: Extract<Target, { kind: 'command' }>, attempt: Attempt): void => {
    const isOwn = isOwnProgram([...policy.ownPrograms, ...[...policy.connections()].flatMap((connection) => connection.programs)], target.file);
    if (!isOwn && !isAllowedProgram(programs, target.file)) refuse(attempt, 'it is outside the boundary', [`boundary: { commands: ["${target.file}"] }`]);
    if (target.cwd !== undefined) path(target.cwd, { what: `run ${target.file} in ${target.cwd}`, effect: 'read' }, true);
    if (target.env === undefined) return;
    const variable = escapingVariable(target.env);
    if (variable !== undefined) refuse(attempt, `${JSON.stringify(variable)} in its environment would lead it out of what its arguments say`, []);
    childHosts(target.env, attempt);
  };

  /** PGHOST, PGHOSTADDR and PGPORT of a child, each of which may be a list. */
  const childHosts = (env: Readonly<Record<string, string>>, attempt: Attempt): void => {
    const ports = (env['PGPORT'] ?? '5432').split(',').map(Number);
    for (const list of [env['PGHOST'], env['PGHOSTADDR']].filter((value) => value !== undefined)) {
      for (const [index, host] of list.split(',').entries()) {
        const leading = { ...attempt, what: `${attempt.what} with PGHOST=${host}` };
        if (isSocket(host)) path(host, leading, false);
        else address(host, ports[index] ?? ports[0] ?? Number.NaN, undefined, leading);
      }
    }
  };

  const socketOrAddress = (target: Extract<Target, { kind: 'postgres' }>, attempt: Attempt): void => {
    if (!isSocket(target.host)) {
      address(target.host, target.port, target.address, attempt);
      return;
    }
    const there = [...policy.connections()].filter((connection) => connection.host === target.host && (connection.port ?? target.port) === target.port);
    const production = there.find((connection) => connection.role === 'production');
    if (production !== undefined && attempt.effect !== 'read') refuse(attempt, `it is connection "${production.name}" of role production, which is read-only`, []);
    if (there.length === 0) path(target.host, attempt, false);
  };

  return {
    check(target, effect) {
      const attempt = { what: describe(target), effect };
      switch (target.kind) {
        case 'postgres':
          if (target.role === 'endpoint') checkEndpoint(target.connection, attempt);
          else if (effect !== 'read') checkRole(target.connection, attempt);
          if (target.role === 'production' && effect !== 'read') refuse(attempt, 'its role is production, which is read-only', []);
          socketOrAddress(target, attempt);
          return;
        case 'tcp':
          // A connect-only check may try what is forbidden: that is how it is proved to be unreachable.
          if (effect === 'read' && isForbidden(forbidden, target)) return;
          address(target.host, target.port, target.address, attempt);
          return;
        case 'http': {
          const url = URL.canParse(target.url) ? new URL(target.url) : undefined;
          if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) refuse(attempt, 'it is not an http:// or https:// URL', []);
          if (url.username !== '' || url.password !== '') refuse(attempt, 'it holds a user or a password', []);
          address(url.hostname, Number(url.port) || (url.protocol === 'https:' ? 443 : 80), target.address, attempt);
          return;
        }
        case 'command':
          command(target, attempt);
          return;
        case 'path':
          path(target.path, attempt, effect === 'read');
          return;
        case 'kubernetes': {
          if (effect !== 'read') checkRole(target.connection, attempt);
          if (target.role === 'production' && effect !== 'read') refuse(attempt, 'its role is production, which is read-only', []);
          const outside = outsideKubernetes(policy.kubernetes ?? [], target, effect === 'read');
          if (outside !== undefined) refuse(attempt, outside.why, outside.allow);
          return;
        }
        case 'endpoint':
          checkEndpoint(target.endpoint, { ...attempt, effect: 'read' });
          if (target.to !== undefined && effect !== 'read') checkRole(target.to, attempt);
          return;
        case 'aws':
          checkAws(target, attempt, policy);
          return;
        case 'infrastructure':
          if (effect !== 'read') checkRole(target.connection, attempt);
          return;
        case 'bucket': {
          if (effect !== 'read') checkRole(target.connection, attempt);
          const why = outsideBuckets(policy.buckets ?? [], target);
          if (why !== undefined) refuse(attempt, why.reason, [why.allow]);
          return;
        }
      }
    },
  };
}

/** A folder of a Unix socket, or an abstract one. */
function isSocket(host: string): boolean {
  return /^[/@]/.test(host);
}

function isForbidden(forbidden: readonly HostPattern[], { host, port }: { readonly host: string; readonly port: number }): boolean {
  const asked = canonicalHost(host);
  return asked !== undefined && forbidden.some((pattern) => pattern.host === asked && pattern.port === port);
}

/** Wider than `placed`, for what is refused: every spelling, and every port where none is known. */
function everyForm({ host, port, address }: GuardedConnection): HostPattern[] {
  return [host, address].flatMap((form) => {
    const canonical = form === undefined ? undefined : canonicalHost(form);
    return canonical === undefined ? [] : [{ host: canonical, port }];
  });
}

function placed({ host, port }: Pick<GuardedConnection, 'host' | 'port'>): HostPattern[] {
  const canonical = host === undefined ? undefined : canonicalHost(host);
  return canonical === undefined || port === undefined ? [] : [{ host: canonical, port }];
}

function root(folder: string): string {
  try {
    return realOf(folder);
  } catch (error) {
    throw new GuardError(`the boundary cannot hold the directory ${folder}: ${messageOf(error)}`, [], { cause: error });
  }
}

function patterns(list: readonly string[], where: string): HostPattern[] {
  return list.map((text) => {
    try {
      return parseHostPattern(text);
    } catch (error) {
      throw new GuardError(`${where} of the environment: ${messageOf(error)}`, [], { cause: error });
    }
  });
}

function describe(target: Target): string {
  switch (target.kind) {
    case 'postgres':
      return `connect to ${target.connection} at ${hostPort(target.host, target.port)}`;
    case 'tcp':
      return `connect to ${hostPort(target.host, target.port)}`;
    case 'http': {
      // Without the query: it may hold a secret.
      const url = URL.canParse(target.url) ? new URL(target.url) : undefined;
      return url === undefined ? 'send a request' : `send a request to ${url.protocol}//${url.host}${url.pathname}`;
    }
    case 'command':
      return `run ${target.file}`;
    case 'path':
      return `touch ${target.path}`;
    case 'kubernetes':
      return `reach ${target.resource} ${target.namespace === undefined ? '' : `${target.namespace}/`}${target.name ?? '*'} of ${target.connection}`;
    case 'infrastructure':
      return `alter the infrastructure ${target.connection}`;
    case 'bucket':
      return `reach s3://${target.bucket}${target.key === undefined ? '' : `/${target.key}`}`;
    case 'endpoint':
      return `move endpoint ${target.endpoint}${target.to === undefined ? '' : ` to ${target.to}`}`;
    case 'aws':
      return `send ${target.action} to account ${target.account} in ${target.region}${target.objects.length === 0 ? '' : ` for ${target.objects.map(({ id }) => id).join(', ')}`}`;
  }
}
