import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { issuer, tokenFile, writeKubeconfig, writeServiceAccountKeys, type Users } from './access.js';
import { freePorts, startProgram, until, type Program } from './programs.js';
import { requestsTo, type Request } from './request.js';

export const context = 'muster-test';

export interface ControlPlane {
  readonly server: string;
  readonly request: Request;
  readonly auditLog: string;
  readonly serviceAccountKey: string;
  readonly kubeconfig: (user: string) => string;
  /** Stops the API server, has `meanwhile` happen, and starts it on the same port and data. */
  readonly restartApiServer: (meanwhile?: () => Promise<void>) => Promise<void>;
  /** Ends the controller manager or the scheduler, which then does nothing more. */
  stop(): Promise<void>;
}

// Everything that is written, with its body; who read what, without; but for the busy ones that nobody asks after.
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', users: ['system:apiserver'] },
    { level: 'None', verbs: ['get', 'list', 'watch'], users: ['system:kube-scheduler', 'system:kube-controller-manager'] },
    { level: 'None', resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }, { group: '', resources: ['events'] }, { group: 'events.k8s.io', resources: ['events'] }] },
    { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] }] },
    { level: 'Metadata', verbs: ['get', 'list', 'watch'] },
    { level: 'RequestResponse' },
  ],
};

/** Starts etcd, the API server, the controller manager and the scheduler of `binaries` in `folder`. */
export async function startControlPlane(binaries: string, folder: string, users: Users, options: { readonly apiServer?: readonly string[]; readonly controllerManager?: readonly string[] } = {}): Promise<ControlPlane> {
  const [etcdPort = 0, peerPort = 0, port = 0] = await freePorts(3);
  const certificates = join(folder, 'certificates');
  mkdirSync(certificates);
  const keys = writeServiceAccountKeys(folder);
  const files = { tokens: join(folder, 'tokens.csv'), policy: join(folder, 'audit-policy.yaml'), audit: join(folder, 'audit.log') };
  writeFileSync(files.tokens, tokenFile(users), { mode: 0o600 });
  writeFileSync(files.policy, stringify(auditPolicy));
  const server = `https://127.0.0.1:${port}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const start = (name: string, args: readonly string[]): Program => startProgram(name, join(binaries, name), args, folder);
  const startApiServer = (): Program =>
    start('kube-apiserver', [
      `--etcd-servers=${etcdUrl}`,
      '--bind-address=127.0.0.1',
      // Of a documentation network: it may not be a loopback address, and without one a default route would be needed.
      '--advertise-address=192.0.2.1',
      `--secure-port=${port}`,
      `--cert-dir=${certificates}`,
      `--service-account-issuer=${issuer}`,
      `--service-account-key-file=${keys.publicKey}`,
      `--service-account-signing-key-file=${keys.privateKey}`,
      `--token-auth-file=${files.tokens}`,
      '--authorization-mode=RBAC',
      '--disable-admission-plugins=ServiceAccount',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--audit-policy-file=${files.policy}`,
      `--audit-log-path=${files.audit}`,
      '--audit-log-mode=blocking-strict',
      // Of five minutes by default; drills wait for them.
      '--default-not-ready-toleration-seconds=3',
      '--default-unreachable-toleration-seconds=3',
      ...(options.apiServer ?? []),
    ]);
  const etcd = start('etcd', [`--data-dir=${join(folder, 'etcd')}`, '--unsafe-no-fsync', `--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`, `--listen-peer-urls=http://127.0.0.1:${peerPort}`, `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`, `--initial-cluster=default=http://127.0.0.1:${peerPort}`]);
  const running: { apiServer: Program; others: Program[] } = { apiServer: startApiServer(), others: [etcd] };
  const stop = async (): Promise<void> => {
    await Promise.all(running.others.filter((program) => program !== etcd).map((program) => program.stop('SIGKILL')));
    await running.apiServer.stop('SIGKILL');
    await etcd.stop('SIGKILL');
  };
  const caFile = join(certificates, 'apiserver.crt');
  const kubeconfigs = join(folder, 'kubeconfigs');
  mkdirSync(kubeconfigs);
  const kubeconfig = (name: string): string => {
    const file = join(kubeconfigs, `${name.replaceAll(' ', '-')}.yaml`);
    const user = users[name];
    if (user === undefined) throw new Error(`no user ${name}`);
    writeKubeconfig(file, { server, caFile, token: user.token, context, user: user.name });
    return file;
  };
  try {
    await until('the API server', async () => Boolean(await (await requestsTo(kubeconfig('admin')))('GET', '/readyz')), [etcd, running.apiServer]);
    const request = await requestsTo(kubeconfig('admin'));
    running.others.push(
      start('kube-controller-manager', [
        `--kubeconfig=${kubeconfig('controller-manager')}`,
        `--service-account-private-key-file=${keys.privateKey}`,
        `--root-ca-file=${caFile}`,
        '--use-service-account-credentials',
        '--leader-elect=false',
        '--port=0',
        '--secure-port=0',
        '--node-monitor-period=1s',
        '--node-monitor-grace-period=12s',
        '--node-startup-grace-period=12s',
        '--node-eviction-rate=5',
        '--secondary-node-eviction-rate=5',
        '--concurrent-deployment-syncs=5',
        // Of fifteen seconds by default: a claim that is made before its volume is bound no sooner.
        '--pvclaimbinder-sync-period=1s',
        // Of a minute by default: an attachment that went after it was given up is not looked for before.
        '--attach-detach-reconcile-sync-period=2s',
        ...(options.controllerManager ?? []),
      ]),
      start('kube-scheduler', [`--kubeconfig=${kubeconfig('scheduler')}`, '--leader-elect=false', '--port=0', '--secure-port=0']),
    );
    await until('the namespaces', () => Promise.all(['default', 'kube-system'].map((name) => request('GET', `/api/v1/namespaces/${name}`))).then(() => true), [etcd, running.apiServer, ...running.others]);
    return {
      server,
      request,
      auditLog: files.audit,
      serviceAccountKey: keys.privateKey,
      kubeconfig,
      async restartApiServer(meanwhile) {
        await running.apiServer.stop('SIGKILL');
        await meanwhile?.();
        running.apiServer = startApiServer();
        await until('the restarted API server', () => request('GET', '/readyz').then(() => true), [etcd, running.apiServer]);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
