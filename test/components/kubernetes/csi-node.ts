import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { field, numberField, serveGrpc, type Method } from './grpc.js';

/**
 * A stand-in for the node part of a CSI driver: a hollow kubelet registers it as it registers the real one, which makes the CSINode
 * object and lets pods with volumes start. Nothing is mounted; attaching is the attacher's.
 * `kubeletFolder` is the TMPDIR of the kubelet, `nodeId` what the driver calls this node: an instance id.
 */
export async function serveCsiNode(kubeletFolder: string, driver: string, nodeId: string, zone: string): Promise<{ close(): Promise<void> }> {
  const [root] = readdirSync(kubeletFolder).filter((name) => name.startsWith('kubelet.'));
  if (root === undefined) throw new Error(`no kubelet keeps its files in ${kubeletFolder}`);
  const registry = join(kubeletFolder, root, 'plugins_registry');
  await mkdir(registry, { recursive: true });
  const socket = join(kubeletFolder, 'csi.sock');
  const nothing: Method = () => Buffer.alloc(0);
  const topology = field(1, Buffer.concat([field(1, 'topology.kubernetes.io/zone'), field(2, zone)]));
  const node = await serveGrpc(socket, {
    '/csi.v1.Identity/GetPluginInfo': () => Buffer.concat([field(1, driver), field(2, 'stand-in')]),
    '/csi.v1.Identity/Probe': nothing,
    '/csi.v1.Node/NodeGetInfo': () => Buffer.concat([field(1, nodeId), numberField(2, 25), field(3, topology)]),
    '/csi.v1.Node/NodeGetCapabilities': nothing,
    '/csi.v1.Node/NodePublishVolume': nothing,
    '/csi.v1.Node/NodeUnpublishVolume': nothing,
  });
  // A kubelet looks for drivers when a socket appears here, so the driver listens first.
  const registration = await serveGrpc(join(registry, 'drv.sock'), {
    '/pluginregistration.Registration/GetInfo': () => Buffer.concat([field(1, 'CSIPlugin'), field(2, driver), field(3, socket), field(4, '1.0.0')]),
    '/pluginregistration.Registration/NotifyRegistrationStatus': nothing,
  });
  return {
    async close() {
      await Promise.all([node.close(), registration.close()]);
    },
  };
}
