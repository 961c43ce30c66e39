import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parse } from 'yaml';
import type { Environment, Runbook } from '../../src/engine/documents.js';
import { markedObjects } from '../components/kubernetes/marked.js';
import { startVolumeService, type VolumeService } from '../components/volume-service.js';
import { account, drillTag, inside, region, volumeIds } from '../clients/ec2/lib.js';
import { behind, handleOf, ready, soon, startStage, type Place, type Stage } from '../steps/pv/rig.js';
import { drill, removeFolders, root, run, runsIn, writeDocuments, type Drilled, type DrillOptions, type Judged } from './harness.js';
import { printed } from './rights.js';

/** A stage for drills of runbooks/ebs-volume-swap.yaml. */
export interface SwapStage extends Omit<Stage, 'place'> {
  place(): Promise<SwapPlace>;
}

/** A StatefulSet whose volume has the reclaim policy Delete, and the service that reads that volume: one thing now, another at its snapshot. */
export interface SwapPlace extends Place {
  readonly service: VolumeService;
  /** Runs the runbook on it, in an environment as a user would write it, to a bundle; afterwards all is as it was before. */
  drill(given?: SwapDrill): Promise<Judged>;
  /** The same without expecting either. */
  run(given?: SwapDrill): Promise<Drilled>;
  /** What another command prints for the same. */
  printed(command: string, given: SwapDrill, ...more: readonly string[]): Promise<string>;
  /** The workload is ready on its own volume, and no run has left anything in the cluster, in AWS or in `state`. */
  expectAsBefore(state: string): Promise<void>;
}

export interface SwapDrill extends Pick<DrillOptions, 'beside' | 'args' | 'env'> {
  /** Default: of the administrator. */
  readonly kubeconfig?: string;
  /** With the watchers and profiles of environments/eks.example.yaml; `audited`: and by the API server's audit log. Default: AWS is watched alone. */
  readonly watched?: boolean | 'audited';
  readonly runbook?: (runbook: Runbook) => void;
  readonly environment?: (environment: Environment) => void;
}

/** `name`: the namespaces begin with it. */
export async function startSwapStage(name: string): Promise<SwapStage> {
  const stage = await startStage(name);
  const services: VolumeService[] = [];
  const stopServices = () => Promise.all(services.splice(0).map((service) => service.stop()));
  return {
    ...stage,
    async place() {
      await stopServices();
      const at = await stage.place({ kind: 'StatefulSet', policy: 'Delete' });
      const service = await startVolumeService(stage.cluster, stage.ec2, at);
      services.push(service);
      service.holds.set(at.original, 'orders: 4712 (now)').set(at.snapshot, 'orders: 4711 (at the snapshot)');
      return swapPlace(stage, at, service);
    },
    async stop() {
      await stopServices();
      await stage.stop();
      await removeFolders();
    },
  };
}

async function swapPlace({ cluster, aws, ec2 }: Stage, at: Place, service: VolumeService): Promise<SwapPlace> {
  const volumes = await volumeIds(ec2);
  const options = ({ kubeconfig = cluster.kubeconfig, watched = false, runbook: editRunbook, environment: editEnvironment, env, ...rest }: SwapDrill = {}): DrillOptions => ({
    ...rest,
    env: { ...aws.env, ...env },
    set: { name: at.name, claim: at.claim, canary: '/canary', expected: 'orders: 4711', health: '/' },
    async documents(folder) {
      const { watch } = parse(await readFile(join(root, 'runbooks/environments/eks.example.yaml'), 'utf8')) as Environment;
      const audit = watched === 'audited' ? { with: { k8s: { audit: { file: cluster.own?.auditLog } } } } : {};
      const runbook = parse(await readFile(join(root, 'runbooks/ebs-volume-swap.yaml'), 'utf8')) as Runbook;
      const environment: Environment = {
        apiVersion: 'muster/v1',
        kind: 'Environment',
        metadata: { name: 'eks-staging' },
        connections: {
          cluster: { kind: 'kubernetes', role: 'target', provision: 'kubeconfig', with: { kubeconfig, context: cluster.context, namespace: at.namespace, uid: cluster.uid } },
          aws: { kind: 'aws', role: 'target', provision: 'aws', with: { account, region, tag: drillTag } },
        },
        endpoints: { app: { provision: 'existing', to: 'cluster', host: '127.0.0.1', port: service.port } },
        boundary: { aws: [inside], kubernetes: [{ context: cluster.context, uid: cluster.uid, namespaces: [at.namespace], cluster: [`persistentvolumes/${at.volumeName}`, 'persistentvolumes/muster-*', 'volumeattachments.storage.k8s.io'] }] },
        watch: { ...(watched === false ? { required: ['ec2'], profiles: ['aws'] } : { ...watch, ...audit }), settle: '1s' },
        runbooks: 'any',
        stableFor: '1s',
      };
      editRunbook?.(runbook);
      editEnvironment?.(environment);
      return writeDocuments(folder, runbook, environment);
    },
  });
  const expectAsBefore = async (state: string): Promise<void> => {
    await expect.poll(() => ready(cluster, at, 'StatefulSet'), soon).toBe(1);
    const now = await behind(cluster, at);
    expect(handleOf(now)).toBe(at.original);
    expect(now.spec?.['persistentVolumeReclaimPolicy']).toBe('Delete');
    expect(await volumeIds(ec2)).toEqual(volumes);
    expect(((await cluster.request('GET', '/api/v1/persistentvolumes')).items ?? []).map(({ metadata }) => metadata.name).filter((name) => name.startsWith('muster-vol-'))).toEqual([]);
    expect(await markedObjects(cluster)).toEqual([]);
    expect(runsIn(state)).toEqual([]);
  };
  return {
    ...at,
    service,
    expectAsBefore,
    run: (given) => run(options(given)),
    printed: (command, given, ...more) => printed(command, options(given), ...more),
    async drill(given) {
      const judged = await drill(options(given));
      await expectAsBefore(judged.state);
      return judged;
    },
  };
}
