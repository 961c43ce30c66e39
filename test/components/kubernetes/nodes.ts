import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, startProgram, until, type Program } from './programs.js';
import type { KubernetesObject, Request } from './request.js';

export const zoneLabel = 'topology.kubernetes.io/zone';

export interface NodeSpec {
  readonly name: string;
  readonly zone: string;
}

/** Kubelets without containers (kubemark): their pods become Running and Ready, and no image runs. */
export interface HollowNodes {
  /** What else runs on each node, for one that runs now and whenever one starts. Gets the TMPDIR of its kubelet, where that keeps its files. */
  runOnEach(program: (node: NodeSpec, folder: string) => Promise<void>): Promise<void>;
  running(name: string): boolean;
  /** The machine is gone, all at once: nobody says goodbye to the API server. */
  stop(...names: readonly string[]): Promise<void>;
  /** Resolves when the API server calls them Ready. */
  start(...names: readonly string[]): Promise<void>;
}

export async function startHollowNodes(binaries: string, folder: string, specs: readonly NodeSpec[], kubeconfig: (user: string) => string, request: Request): Promise<HollowNodes> {
  const programs = new Map<string, Program>();
  const zones = new Map(specs.map(({ name, zone }) => [name, zone]));
  const folderOf = (name: string): string => join(folder, name);
  const beside: ((node: NodeSpec, folder: string) => Promise<void>)[] = [];
  const start = async (...names: readonly string[]): Promise<void> => {
    const since = Date.now();
    const ports = await freePorts(names.length);
    for (const [index, name] of names.entries()) {
      // As a new machine: what the one before it knew is gone.
      rmSync(folderOf(name), { recursive: true, force: true });
      mkdirSync(folderOf(name));
      const labels = { [zoneLabel]: zones.get(name) ?? '', 'topology.kubernetes.io/region': 'test', 'kubernetes.io/hostname': name };
      const args = ['--morph=kubelet', `--name=${name}`, `--kubeconfig=${kubeconfig(`node ${name}`)}`, `--kubelet-port=${ports[index]}`, '--kubelet-read-only-port=0', `--node-labels=${Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',')}`];
      programs.set(name, startProgram(name, join(binaries, 'kubemark'), args, folder, { TMPDIR: folderOf(name) }));
    }
    const started = names.flatMap((name) => programs.get(name) ?? []);
    await until(`the nodes ${names.join(', ')}`, async () => (await Promise.all(names.map((name) => request('GET', `/api/v1/nodes/${name}`)))).every((node) => isReady(node, since)), started);
    await Promise.all(names.flatMap((name) => beside.map((program) => program({ name, zone: zones.get(name) ?? '' }, folderOf(name)))));
  };
  const stop = async (...names: readonly string[]): Promise<void> => {
    await Promise.all(names.map(async (name) => programs.get(name)?.stop('SIGKILL')));
  };
  try {
    await start(...zones.keys());
  } catch (error) {
    await stop(...zones.keys());
    throw error;
  }
  return {
    async runOnEach(program) {
      beside.push(program);
      await Promise.all(specs.map((node) => program(node, folderOf(node.name))));
    },
    running: (name) => programs.get(name)?.ended() === undefined && programs.has(name),
    stop,
    start,
  };
}

/** Ready, not tainted, and heard of since `since`: a node that has just been lost still calls itself Ready. */
function isReady(node: KubernetesObject, since: number): boolean {
  const conditions = (node.status?.['conditions'] ?? []) as { type: string; status: string; lastHeartbeatTime: string }[];
  const taints = (node.spec?.['taints'] ?? []) as unknown[];
  return taints.length === 0 && conditions.some(({ type, status, lastHeartbeatTime }) => type === 'Ready' && status === 'True' && Date.parse(lastHeartbeatTime) + 1000 > since);
}
