/** Manifests that suites share. No image of them is ever run on hollow nodes. */

/** Pods `app=<name>`, spread over zones and evicted within seconds from a node that is lost. */
export function deployment(name: string, options: { readonly replicas?: number; readonly claim?: string; readonly labels?: Readonly<Record<string, string>> } = {}): Record<string, unknown> {
  const labels = { app: name, ...options.labels };
  const volumes = options.claim === undefined ? {} : { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: options.claim } }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app: name } },
      ...(options.claim === undefined ? {} : { strategy: { type: 'Recreate' } }),
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { app: name } } }],
          containers: [{ name: 'app', image: 'registry.invalid/app:1', ...(options.claim === undefined ? {} : { volumeMounts: [{ name: 'data', mountPath: '/data' }] }) }],
          ...volumes,
        },
      },
    },
  };
}

export function service(name: string, options: { readonly port?: number } = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports: [{ name: 'http', port: options.port ?? 80, targetPort: 8080 }] } };
}

export function disruptionBudget(name: string, minAvailable: number | string): Record<string, unknown> {
  return { apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget', metadata: { name }, spec: { minAvailable, selector: { matchLabels: { app: name } } } };
}

/** A volume of EBS in a zone, with the claim that it is bound to. */
export function ebsVolume(name: string, namespace: string, volumeId: string, zone: string): { readonly volume: Record<string, unknown>; readonly claim: Record<string, unknown> } {
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
  return {
    volume: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        ...spec,
        capacity: { storage: '1Gi' },
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name },
        csi: { driver: 'ebs.csi.aws.com', volumeHandle: volumeId, fsType: 'ext4' },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: [zone] }] }] } },
      },
    },
    claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec: { ...spec, resources: { requests: { storage: '1Gi' } }, volumeName: name } },
  };
}
