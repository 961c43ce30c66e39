import { join } from 'node:path';
import type { Static, TSchema } from 'typebox';
import { filesPort } from '../../../src/clients/files/adapter.js';
import type { PostgresSession } from '../../../src/clients/postgres/port.js';
import { systemClock } from '../../../src/engine/clock.js';
import type { BaseContext, CleanupCall, ProbeContext, ProbeDefinition, RunningProbe, StepContext, StepDefinition } from '../../../src/engine/define-step.js';
import type { EventDataOf, SampleEvent, SampleType } from '../../../src/engine/events.js';
import { evidenceKinds, type EvidenceKind, type EvidenceOf } from '../../../src/engine/kinds/index.js';
import type { Scope } from '../../../src/engine/scope.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { normalize } from '../../../tools/generate/normalize.js';
import { postgresWorld, type PostgresWorld } from '../../components/postgres.js';
import { portsOnly } from '../../components/ports.js';

interface Recorded {
  readonly kind: EvidenceKind;
  readonly data: unknown;
}

type Registered = { readonly call: CleanupCall; readonly definition: Pick<StepDefinition, 'type' | 'cleanups'>; identity: Record<string, unknown> | undefined };

/** Runs single steps and probes on real servers, with what they would get from a run. */
export interface Rig {
  readonly here: PostgresWorld;
  readonly runId: string;
  readonly logs: string[];
  step<I extends TSchema, O extends TSchema>(definition: StepDefinition<I, O>, input: Static<I>): Promise<Static<O>>;
  probe<I extends TSchema>(definition: ProbeDefinition<I>, input: Static<I>): Promise<RunningProbe & { end(): Promise<void> }>;
  /** The newest evidence of a kind. */
  evidence<K extends EvidenceKind>(kind: K): EvidenceOf<K>;
  evidenceCount(kind: EvidenceKind): number;
  samples<T extends SampleType>(type: T): EventDataOf<T>[];
  endpoint(name: string, to: string): void;
  session(connection: string): Promise<PostgresSession>;
  /** Runs the cleanups that steps registered, last-in first-out, from their JSON alone. */
  cleanUp(): Promise<void>;
  close(): Promise<void>;
}

export async function postgresRig(): Promise<Rig> {
  const here = await postgresWorld();
  const started = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const runId = `${started}-test-${Math.random().toString(16).slice(2, 8)}`;
  const ended = new AbortController();
  const recorded: Recorded[] = [];
  const samples: SampleEvent[] = [];
  const logs: string[] = [];
  const registered: Registered[] = [];
  const sessions: PostgresSession[] = [];
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true, allowUnionTypes: true });
  const scope: Scope = { who: 'test', phase: 'prepare', runId, signal: ended.signal, access: () => Promise.resolve() };
  const unbound = (): never => {
    throw new Error('not part of this rig');
  };
  const ports = portsOnly({ postgres: here.portFor('test', ended.signal), files: filesPort(scope), endpoints: { current: () => null, address: unbound, switch: unbound } });
  const base: BaseContext = { runId, signal: ended.signal, ports, clock: systemClock(), log: (line) => void logs.push(line) };
  const evidence = <K extends EvidenceKind>(kind: K, data: EvidenceOf<K>): Promise<void> => {
    const valid = ajv.compile(normalize(evidenceKinds[kind]));
    if (!valid(data)) throw new Error(`evidence ${kind}: ${ajv.errorsText(valid.errors)}`);
    recorded.push({ kind, data });
    return Promise.resolve();
  };
  const deferTo = (definition: Pick<StepDefinition, 'type' | 'cleanups'>) => (call: CleanupCall) => {
    const item: Registered = { call: JSON.parse(JSON.stringify(call)) as CleanupCall, definition, identity: undefined };
    registered.push(item);
    return Promise.resolve({
      confirm: (identity: Record<string, unknown>) => {
        item.identity = identity;
        return Promise.resolve();
      },
      done: () => Promise.resolve(),
    });
  };
  let steps = 0;
  const ofKind = <K extends EvidenceKind>(kind: K) => recorded.filter((item) => item.kind === kind).map(({ data }) => data as EvidenceOf<K>);
  return {
    here,
    runId,
    logs,
    async step(definition, input) {
      const ctx: StepContext = {
        ...base,
        stepId: `step-${(steps += 1)}`,
        phase: 'prepare',
        workDir: join(here.folder, 'work'),
        runbookDir: here.folder,
        evidence,
        defer: deferTo(definition),
        fault: unbound,
        probe: unbound,
        nextSample: unbound,
        provision: unbound,
        human: unbound,
        unit: unbound,
      };
      return definition.run(input, ctx);
    },
    async probe(definition, input) {
      const ctx: ProbeContext = { ...base, probe: `probe-${(steps += 1)}`, workDir: join(here.folder, `probe-${steps}`), earlier: null, evidence, defer: deferTo(definition), sample: (event) => void samples.push(event) };
      const running = await definition.start(input, ctx);
      return {
        stop: () => running.stop(),
        finish: async () => running.finish?.(ctx),
        async end() {
          await running.finish?.(ctx);
          await running.stop();
        },
      };
    },
    evidence(kind) {
      const last = ofKind(kind).at(-1);
      if (last === undefined) throw new Error(`no evidence ${kind}`);
      return last;
    },
    evidenceCount: (kind) => ofKind(kind).length,
    samples: <T extends SampleType>(type: T) => samples.filter((event) => event.type === type).map(({ data }) => data as EventDataOf<T>),
    endpoint(name, to) {
      const behind = here.world.connections.get(to);
      if (behind === undefined) throw new Error(`no connection ${to}`);
      const { host, port } = behind.details as { host: string; port: number };
      here.world.apply({ type: 'endpoint.opened', data: { endpoint: name, host, port, to } });
    },
    async session(connection) {
      const session = await ports.postgres.connect({ connection }, { effect: 'modify', label: 'look' });
      sessions.push(session);
      return session;
    },
    async cleanUp() {
      for (const { call, definition, identity } of registered.splice(0).toReversed()) {
        const [type, name = ''] = call.uses.split('/');
        if (type !== definition.type) throw new Error(`${call.uses} is no cleanup of ${definition.type}`);
        await definition.cleanups?.[name]?.run({ ...call.with }, identity, base);
      }
    },
    async close() {
      for (const session of sessions) await session.close().catch(() => undefined);
      ended.abort();
      await here.close();
    },
  };
}
