import type { ProvisionContext } from '../define-step.js';
import { GuardError, messageOf, RefusedError } from '../errors.js';
import type { PlanBinding } from '../plan-document.js';
import type { CatalogEntry, InputReference } from '../catalog.js';
import { AttemptTimeout, Deadline, endWithin } from '../retry.js';
import { plainScope, workDir, type Runtime } from './runtime.js';

type Connections = PlanBinding['environment']['connections'];
type Catalog = ReadonlyMap<string, Pick<CatalogEntry, 'references'>>;

/** The environment's order, but what a connection names in its `with` comes before it. */
function provisionOrder(connections: Connections, catalog: Catalog): string[] {
  const order = new Set<string>();
  const visiting = new Set<string>();
  const visit = (name: string) => {
    const connection = connections[name];
    if (connection === undefined || order.has(name)) return;
    if (visiting.has(name)) throw new RefusedError(`the connections ${[...visiting].join(', ')} need each other`);
    visiting.add(name);
    for (const reference of catalog.get(connection.provision)?.references ?? []) for (const needed of namesAt(connection.with, reference)) visit(needed);
    visiting.delete(name);
    order.add(name);
  };
  Object.keys(connections).forEach(visit);
  return [...order];
}

function namesAt(input: unknown, { at, to }: InputReference): string[] {
  if (to !== 'connection') return [];
  let found: unknown[] = [input];
  for (const segment of at.split('.')) {
    found = found.flatMap((value): unknown[] => {
      if (value === null || typeof value !== 'object') return [];
      return segment === '*' ? Object.values(value) : [(value as Record<string, unknown>)[segment]];
    });
  }
  return found.filter((name) => typeof name === 'string');
}

/** Makes the environment real. Throws RefusedError when a part of it cannot be: nothing has been broken yet. */
export async function provisionAll(runtime: Runtime, signal: AbortSignal): Promise<void> {
  const { connections, endpoints } = runtime.request.plan.binding.environment;
  const { request, world } = runtime;
  for (const name of provisionOrder(connections, request.registry.catalog)) {
    signal.throwIfAborted();
    await orRefused(`connection ${name} could not be provisioned`, signal, () => provisionOne(runtime, name, signal));
  }
  for (const [name, spec] of Object.entries(endpoints)) {
    signal.throwIfAborted();
    const { host, port } = await orRefused(`endpoint ${name} could not be opened`, signal, () => request.endpoints.open(name, spec, world));
    world.apply(await request.journal.append('endpoint.opened', { endpoint: name, host, port, to: spec.to }));
  }
}

/** Makes one connection of the plan real, or looks again at one that is. */
export async function provisionOne(runtime: Runtime, name: string, signal: AbortSignal): Promise<void> {
  const { request, world, check, limits, logs } = runtime;
  const connection = request.plan.binding.environment.connections[name];
  if (connection === undefined) throw new RangeError(`the plan has no connection ${name}`);
  const { kind, role, provision, with: input } = connection;
  const definition = await request.registry.provisioner(provision);
  if (!check(definition.input, input)) throw new Error(check.problems(definition.input, input).join('; '));
  await request.journal.append('connection.provisioning', { connection: name, provision });
  const who = `provision:${name}`;
  const within = new Deadline(limits.provisionMs, signal, () => new AttemptTimeout(`it took longer than ${limits.provisionMs} ms`));
  const ctx: ProvisionContext = {
    runId: request.runId,
    connection: name,
    role,
    runbookDir: request.runbookDir,
    signal: within.signal,
    clock: request.clock,
    ports: request.bindPorts(plainScope(request, who, 'provision', within.signal), world),
    get workDir() {
      return workDir(request, name);
    },
    secret: (value) => request.redactor.add(value),
    log: (line) => logs.append(who, line),
    defer: (call) => runtime.cleanups.defer(call, { step: who }),
  };
  try {
    const details = await endWithin(definition.provision(input, ctx), within.signal, limits.graceMs);
    within.signal.throwIfAborted();
    world.apply(await request.journal.append('connection.provisioned', { connection: name, kind, role, provision, details }));
  } finally {
    within.end();
  }
}

async function orRefused<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw new RefusedError(`${what}: ${messageOf(error)}`, error instanceof GuardError ? error.details : [], { cause: error });
  }
}
