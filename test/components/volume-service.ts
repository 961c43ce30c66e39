import { once } from 'node:events';
import { createServer } from 'node:http';
import { DescribeVolumesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import type { Cluster } from './kubernetes/index.js';

/**
 * A stand-in for an application that keeps its data on a volume of its pod: hollow nodes run no containers and mount nothing. It answers only while the API
 * server says that the pod is ready, and EC2 that the volume behind its claim is attached; what it reads is what that volume holds: a
 * volume made from a snapshot what the snapshot held. Not shown by it: that a file system can be mounted, and that its blocks are those of the snapshot.
 */
export interface VolumeService {
  readonly port: number;
  /** What a volume or a snapshot holds, by its id. */
  readonly holds: Map<string, string>;
  stop(): Promise<void>;
}

export async function startVolumeService({ request }: Pick<Cluster, 'request'>, ec2: EC2Client, { namespace, claim }: { readonly namespace: string; readonly claim: string }): Promise<VolumeService> {
  const holds = new Map<string, string>();
  const read = async (): Promise<string | undefined> => {
    const { items: pods = [] } = await request('GET', `/api/v1/namespaces/${namespace}/pods`);
    const serving = pods.some(({ metadata, spec, status }) => {
      const conditions = (status?.['conditions'] ?? []) as { type: string; status: string }[];
      const volumes = (spec?.['volumes'] ?? []) as { persistentVolumeClaim?: { claimName: string } }[];
      return metadata.deletionTimestamp === undefined && conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True') && volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === claim);
    });
    if (!serving) return undefined;
    const { spec } = await request('GET', `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim}`);
    const bound = await request('GET', `/api/v1/persistentvolumes/${String(spec?.['volumeName'])}`);
    const { volumeHandle = '' } = (bound.spec?.['csi'] ?? {}) as { volumeHandle?: string };
    const [volume] = (await ec2.send(new DescribeVolumesCommand({ VolumeIds: [volumeHandle] }))).Volumes ?? [];
    if (volume?.State !== 'in-use') return undefined;
    return holds.get(volumeHandle) ?? holds.get(volume.SnapshotId ?? '');
  };
  const server = createServer((_incoming, outgoing) => {
    read().then(
      (content) => (content === undefined ? outgoing.writeHead(503).end('no volume') : outgoing.writeHead(200).end(content)),
      (error: unknown) => outgoing.writeHead(503).end(String(error)),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    holds,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
