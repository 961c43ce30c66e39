import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processPort } from '../../../src/clients/process/adapter.js';
import { provisioner } from '../../../src/clients/provision/terraform.js';
import { infrastructurePort, infrastructureShared } from '../../../src/clients/terraform/adapter.js';
import type { InfrastructurePort } from '../../../src/clients/terraform/port.js';
import { systemClock } from '../../../src/engine/clock.js';
import { LiveWorld } from '../../../src/engine/world.js';
import { byHand, startStateStore, type StateStore } from '../../components/terraform/aws.js';
import { writeCode, type CodeOptions } from '../../components/terraform/code.js';
import { scopeFor } from '../lib/scope.js';
import { contextFor, realPorts } from '../../steps/lib/context.js';

export interface Rig {
  readonly store: StateStore;
  readonly world: LiveWorld;
  readonly port: InfrastructurePort;
  /** A step's context on this world; what it is told is in `told`. */
  context(): ReturnType<typeof contextFor>;
  /** Code, data directories and everything else of this rig. */
  readonly folder: string;
  /** Writes code, commits it and provisions the connection `name`: in a folder and with a state that were never used, also for a second try. */
  infrastructure(name: string, code?: Partial<CodeOptions>, input?: Record<string, unknown>, role?: 'production' | 'source' | 'target'): Promise<{ readonly directory: string; readonly key: string }>;
  /** Of the state of a connection. */
  keyOf(name: string): string;
  /** Terraform as a colleague runs it, in the code of a connection. */
  byHand(name: string, ...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

export const { signal } = new AbortController();
export const marked = () => ({ mark: randomUUID() });

/** Real Terraform on moto. The variables that lead to moto stand in this process's environment until `stop`. */
export async function startRig(): Promise<Rig> {
  const store = await startStateStore();
  const folder = mkdtempSync(join(tmpdir(), 'muster-terraform-'));
  const before = { ...process.env };
  Object.assign(process.env, store.env);
  const world = new LiveWorld();
  const scope = scopeFor();
  const children = processPort(scope);
  const ports = realPorts({ scope, world });
  const places = new Map<string, { readonly directory: string; readonly key: string }>();
  const placeOf = (name: string) => {
    const place = places.get(name);
    if (place === undefined) throw new Error(`no infrastructure ${name}`);
    return place;
  };
  let made = 0;
  world.apply({ type: 'connection.provisioned', data: { connection: 'states', kind: 'bucket', role: 'source', provision: 's3-bucket', details: { bucket: 'states', region: 'eu-central-1', prefix: '' } } });
  return {
    context: () => contextFor({ world, scope }),
    store,
    world,
    folder,
    port: infrastructurePort(scope, world, infrastructureShared(), children),
    async infrastructure(name, code = {}, input = {}, role = 'target') {
      const fresh = `${name}-${(made += 1)}`;
      const key = code.key ?? `${fresh}/terraform.tfstate`;
      const directory = writeCode(join(folder, fresh), { bucket: 'states', ...code, key });
      places.set(name, { directory, key });
      const workDir = join(folder, 'work', fresh);
      mkdirSync(workDir, { recursive: true });
      const details = await provisioner.provision(
        { directory, ...input },
        {
          runId: 'run-1', signal, ports, clock: systemClock(), log: () => undefined, connection: name, role, workDir, runbookDir: folder,
          secret: () => undefined,
          defer: () => Promise.resolve({ confirm: () => Promise.resolve(), done: () => Promise.resolve() }),
        },
      );
      world.apply({ type: 'connection.provisioned', data: { connection: name, kind: 'infrastructure', role, provision: 'terraform', details } });
      return { directory, key };
    },
    keyOf: (name) => placeOf(name).key,
    async byHand(name, ...args) {
      const { directory } = placeOf(name);
      const data = join(folder, 'by-hand', name);
      await byHand(directory, data, store.env, 'init', '-input=false');
      return byHand(directory, data, store.env, ...args);
    },
    async stop() {
      for (const name of Object.keys(store.env)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      rmSync(folder, { recursive: true, force: true });
      await store.stop();
    },
  };
}
