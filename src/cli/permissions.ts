import { RefusedError, UsageError } from '../engine/errors.js';
import type { Guard } from '../engine/guard.js';
import type { NeededRight } from '../engine/define-step.js';
import type { Permission, SqlRight } from '../engine/permission.js';
import { declaredPermissions, provisionedPermissions, rightsOn } from '../engine/plan/rights.js';
import type { PlanBinding } from '../engine/plan-document.js';
import { existingWorld } from '../engine/preflight.js';
import type { Redactor } from '../engine/redact.js';
import { grantStatement, maintainSince, rightInWords, sqlName } from '../clients/postgres/grants.js';
import { visible } from '../report/visible.js';
import type { World } from '../engine/world.js';
import { bindPorts, guardOf, sharedAdapters } from './compose.js';
import type { CommandIo } from './io.js';
import { readingScope } from './observe.js';
import { iamPolicy } from './permissions/iam.js';
import { clusterRoles } from './permissions/roles.js';
import { prepareDrill, type DrillSources } from './prepare.js';
import { registry } from './registry.generated.js';

export interface PermissionSources extends DrillSources {
  /** What this connection needs alone, in the language of its own system, for tools. */
  readonly only?: string;
}

/** `muster permissions`: SQL that a superuser runs, all else as SQL comments. Reads servers' versions where it can. */
export async function permissions(sources: PermissionSources, io: CommandIo): Promise<number> {
  const { plan, secrets } = await prepareDrill(sources, io);
  const { binding } = plan;
  if (sources.only !== undefined && binding.environment.connections[sources.only]?.kind !== 'postgres') {
    io.stdout(await ownLanguage(binding, sources.only));
    return 0;
  }
  const out = [`-- What ${binding.runbook.name} ${binding.runbook.version} needs in ${binding.environment.name}, and no more.`];
  const { world } = await existingWorld(binding, registry, io.cwd);
  const versionOf = await versions(secrets, guardOf({ plan, world, ownDirectories: [], protectedDirectories: [], runbookDir: io.cwd }), world);
  for (const name of sources.only === undefined ? Object.keys(binding.environment.connections) : [sources.only]) out.push(...(await connectionLines(binding, name, versionOf)));
  if (sources.only === undefined) out.push(...(await otherLines(binding)));
  io.stdout(`${out.map((line) => visible(line)).join('\n')}\n`);
  return 0;
}

type VersionOf = (connection: string) => Promise<number | undefined>;

async function versions(secrets: Redactor, guard: Guard, world: World): Promise<VersionOf> {
  const signal = new AbortController().signal;
  const ports = bindPorts(sharedAdapters(undefined, secrets))(readingScope('permissions', guard, signal), world);
  return async (connection) => {
    try {
      const session = await ports.postgres.connect({ connection }, { effect: 'read', label: 'permissions', connectTimeoutMs: 3_000 });
      try {
        return (await session.query<{ version: number }>(`SELECT current_setting('server_version_num')::int AS version`)).rows[0]?.version;
      } finally {
        await session.close();
      }
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      return undefined;
    }
  };
}

/** Throws UsageError where nothing of the connection can be granted. */
async function ownLanguage(binding: PlanBinding, name: string): Promise<string> {
  const provisioned = await provisionedPermissions(binding, registry);
  const roles = clusterRoles(binding, name, provisioned);
  if (roles !== undefined) return roles;
  const policy = iamPolicy(binding, name, provisioned);
  if (policy === undefined) throw new UsageError(`--only ${name}: the drill needs no right of a connection of that name that could be printed`);
  return `${JSON.stringify(policy, null, 2)}\n`;
}

async function connectionLines(binding: PlanBinding, name: string, versionOf: VersionOf): Promise<string[]> {
  const connection = binding.environment.connections[name];
  const provisioned = await provisionedPermissions(binding, registry);
  const roles = clusterRoles(binding, name, provisioned);
  if (roles !== undefined) return ['', `-- ${name}: roles for whoever runs the drill (--only ${name} prints them alone, for kubectl apply -f -):`, ...roles.trimEnd().split('\n').map((line) => `--   ${line}`)];
  const policy = iamPolicy(binding, name, provisioned);
  if (policy !== undefined) return ['', `-- ${name}: an IAM policy for whoever runs the drill (--only ${name} prints it alone):`, ...JSON.stringify(policy, null, 2).split('\n').map((line) => `--   ${line}`)];
  const rights = rightsOn(binding, name);
  if (connection?.kind !== 'postgres' || rights.length === 0) return [];
  const { host, port = 5432, database, user } = connection.with;
  if (typeof host !== 'string' || typeof user !== 'string' || typeof port !== 'number' || typeof database !== 'string') return ['', `-- ${name}: the run makes this server and is its superuser; nothing is to be granted.`];
  const version = await versionOf(name);
  const lines = ['', `-- ${name}: ${host}:${port}, role ${user}. Run this as a superuser in the database named.`, ...(version === undefined ? [`-- The server was not reached: this is for PostgreSQL ${maintainSince / 10_000} or later; before, GRANT UPDATE instead of MAINTAIN.`] : [])];
  for (const [asked, needed] of byDatabase(rights, database)) {
    lines.push(`-- Database ${asked}:`, `GRANT CONNECT ON DATABASE ${sqlName(asked)} TO ${sqlName(user)};`, ...grantLines(needed, user, version ?? maintainSince));
  }
  return lines;
}

function byDatabase(rights: readonly NeededRight[], own: string): Map<string, NeededRight[]> {
  const found = new Map<string, NeededRight[]>();
  for (const needed of rights) found.set(needed.right.database ?? own, [...(found.get(needed.right.database ?? own) ?? []), needed]);
  return found;
}

function grantLines(needed: readonly NeededRight[], user: string, version: number): string[] {
  const grants: string[] = [];
  const notes: string[] = [];
  const everyone = new Set<string>();
  for (const { sql, by } of united(needed)) {
    const statement = grantStatement(sql, user, version);
    if (statement !== undefined) grants.push(`${statement}  -- ${by.join(', ')}`);
    else if (sql.on === 'function') everyone.add(sql.name);
    else if (sql.on === 'table') notes.push(`-- ${sql.name} is made by the run itself (${by.join(', ')}); if it exists already: GRANT ${sql.privileges.join(', ')} ON TABLE ${sqlName(sql.name)} TO ${sqlName(user)};`);
    else notes.push(`-- Decide for yourself (${by.join(', ')}): ${rightInWords(sql)}`);
  }
  if (everyone.size > 0) notes.push(`-- Everyone may call these unless it was revoked: ${[...everyone].join(', ')}`);
  return [...grants, ...notes];
}

/** One statement for each object. */
function united(needed: readonly NeededRight[]): { readonly sql: SqlRight; readonly by: readonly string[] }[] {
  const found = new Map<string, { sql: SqlRight; by: Set<string> }>();
  for (const { right, by } of needed) {
    const { sql } = right;
    if (sql === undefined) continue;
    const key = sql.on === 'table' || sql.on === 'schema' ? JSON.stringify([sql.on, sql.name, sql.on === 'table' && sql.made === true]) : JSON.stringify(sql);
    const known = found.get(key);
    if (known === undefined) {
      found.set(key, { sql, by: new Set(by) });
      continue;
    }
    for (const who of by) known.by.add(who);
    if (sql.on === 'table' && known.sql.on === 'table') known.sql = { ...known.sql, privileges: [...new Set([...known.sql.privileges, ...sql.privileges])] };
    if (sql.on === 'schema' && known.sql.on === 'schema') known.sql = { ...known.sql, privileges: [...new Set([...known.sql.privileges, ...sql.privileges])] };
  }
  return [...found.values()].map(({ sql, by }) => ({ sql, by: [...by] }));
}

async function otherLines(binding: PlanBinding): Promise<string[]> {
  const all = [...declaredPermissions(binding), ...(await provisionedPermissions(binding, registry))].flatMap(({ by, permissions }) => permissions.map((permission) => ({ by, permission })));
  const lines = new Map<string, Set<string>>();
  for (const { by, permission } of all) {
    const line = inWords(permission);
    if (line !== undefined) lines.set(line, (lines.get(line) ?? new Set()).add(by));
  }
  return lines.size === 0 ? [] : ['', '-- On this machine (boundary.commands, boundary.directories):', ...[...lines].map(([line, by]) => `--   ${line}  (${[...by].join(', ')})`)];
}

function inWords(permission: Permission): string | undefined {
  switch (permission.system) {
    case 'command':
      return `run ${permission.command}`;
    case 'path':
      return `${permission.access} ${permission.path}`;
    case 'aws':
      return permission.connection !== undefined ? undefined : `AWS ${permission.action}${permission.resource === undefined ? '' : ` on ${permission.resource}`}`;
    case 'kubernetes':
    case 'postgres':
      return undefined;
  }
}
