/** A kind as RBAC and change watchers name it, known without asking a server. */
export interface KnownKind {
  /** '' for the core group. */
  readonly group: string;
  /** `deployments` */
  readonly plural: string;
  /** Lower case: `deployment`. */
  readonly singular: string;
  readonly namespaced: boolean;
}

/** group: [plural, kind, short names, ...] of kinds that drills name without an apiVersion. A `!` marks those that lie in no namespace. */
const table: Readonly<Record<string, readonly (readonly [plural: string, kind: string, ...short: string[]])[]>> = {
  '': [
    ['pods', 'Pod', 'po'], ['services', 'Service', 'svc'], ['configmaps', 'ConfigMap', 'cm'], ['secrets', 'Secret'], ['endpoints', 'Endpoints', 'ep'], ['events', 'Event', 'ev'],
    ['persistentvolumeclaims', 'PersistentVolumeClaim', 'pvc'], ['replicationcontrollers', 'ReplicationController', 'rc'], ['serviceaccounts', 'ServiceAccount', 'sa'], ['resourcequotas', 'ResourceQuota', 'quota'],
    ['limitranges', 'LimitRange', 'limits'], ['podtemplates', 'PodTemplate'], ['!nodes', 'Node', 'no'], ['!namespaces', 'Namespace', 'ns'], ['!persistentvolumes', 'PersistentVolume', 'pv'],
  ],
  apps: [['deployments', 'Deployment', 'deploy'], ['statefulsets', 'StatefulSet', 'sts'], ['daemonsets', 'DaemonSet', 'ds'], ['replicasets', 'ReplicaSet', 'rs'], ['controllerrevisions', 'ControllerRevision']],
  batch: [['jobs', 'Job'], ['cronjobs', 'CronJob', 'cj']],
  autoscaling: [['horizontalpodautoscalers', 'HorizontalPodAutoscaler', 'hpa']],
  policy: [['poddisruptionbudgets', 'PodDisruptionBudget', 'pdb']],
  'networking.k8s.io': [['ingresses', 'Ingress', 'ing'], ['networkpolicies', 'NetworkPolicy', 'netpol'], ['!ingressclasses', 'IngressClass']],
  'storage.k8s.io': [['!storageclasses', 'StorageClass', 'sc'], ['!volumeattachments', 'VolumeAttachment'], ['!csidrivers', 'CSIDriver'], ['!csinodes', 'CSINode'], ['csistoragecapacities', 'CSIStorageCapacity']],
  'rbac.authorization.k8s.io': [['roles', 'Role'], ['rolebindings', 'RoleBinding'], ['!clusterroles', 'ClusterRole'], ['!clusterrolebindings', 'ClusterRoleBinding']],
  'coordination.k8s.io': [['leases', 'Lease']],
  'discovery.k8s.io': [['endpointslices', 'EndpointSlice']],
  'scheduling.k8s.io': [['!priorityclasses', 'PriorityClass', 'pc']],
  'apiextensions.k8s.io': [['!customresourcedefinitions', 'CustomResourceDefinition', 'crd']],
  'snapshot.storage.k8s.io': [['volumesnapshots', 'VolumeSnapshot', 'vs'], ['!volumesnapshotcontents', 'VolumeSnapshotContent', 'vsc'], ['!volumesnapshotclasses', 'VolumeSnapshotClass']],
  'postgresql.cnpg.io': [['clusters', 'Cluster'], ['backups', 'Backup'], ['scheduledbackups', 'ScheduledBackup'], ['poolers', 'Pooler'], ['imagecatalogs', 'ImageCatalog'], ['!clusterimagecatalogs', 'ClusterImageCatalog']],
  'barmancloud.cnpg.io': [['objectstores', 'ObjectStore']],
};

const known: readonly (KnownKind & { readonly names: ReadonlySet<string> })[] = Object.entries(table).flatMap(([group, kinds]) =>
  kinds.map(([marked, kind, ...short]) => {
    const plural = marked.replace('!', '');
    const singular = kind.toLowerCase();
    return { group, plural, singular, namespaced: plural === marked, names: new Set([plural, singular, ...short]) };
  }),
);

/**
 * The kind that a runbook names, before any server is asked. A kind of a group that is not in the table is taken for one in namespaces whose
 * plural is regular, as kubectl does; the server's own answer decides when the step runs.
 */
export function kindOf(kind: string, apiVersion?: string): KnownKind {
  const lower = kind.toLowerCase();
  const dot = lower.indexOf('.');
  const name = dot === -1 ? lower : lower.slice(0, dot);
  const group = apiVersion === undefined ? (dot === -1 ? undefined : lower.slice(dot + 1)) : groupOf(apiVersion);
  const found = known.find((each) => each.names.has(name) && (group === undefined || group === each.group));
  if (found !== undefined) return { group: found.group, plural: found.plural, singular: found.singular, namespaced: found.namespaced };
  const isPlural = dot !== -1;
  return { group: group ?? '', plural: isPlural ? name : pluralOf(name), singular: isPlural ? singularOf(name) : name, namespaced: true };
}

/** `apps` of `apps/v1`; '' of `v1`. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

function pluralOf(singular: string): string {
  if (/(s|x|ch|sh)$/.test(singular)) return `${singular}es`;
  return /[^aeiou]y$/.test(singular) ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}

function singularOf(plural: string): string {
  if (plural.endsWith('ies')) return `${plural.slice(0, -3)}y`;
  return /(s|x|ch|sh)es$/.test(plural) ? plural.slice(0, -2) : plural.replace(/s$/, '');
}
