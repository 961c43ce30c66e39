import type { Body } from './client.js';
import { barmanGroup, group } from './types.js';

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const text = { type: 'string' };

interface Kind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly spec: Body;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly jsonPath: string }[];
}

const clusterReference = { type: 'object', required: ['name'], properties: { name: text } };

/** Written for the stand-in: of the real definitions, the fields that are used here are typed and all others are let through. */
const kinds: readonly Kind[] = [
  {
    group,
    kind: 'Cluster',
    plural: 'clusters',
    spec: {
      required: ['instances'],
      properties: {
        instances: { type: 'integer', minimum: 1 },
        enableSuperuserAccess: { type: 'boolean' },
        postgresql: anything,
        bootstrap: anything,
        externalClusters: { type: 'array', items: { ...anything, required: ['name'], properties: { name: text } } },
        plugins: { type: 'array', items: { ...anything, required: ['name'], properties: { name: text } } },
        backup: anything,
      },
    },
    columns: [
      { name: 'Instances', type: 'integer', jsonPath: '.status.instances' },
      { name: 'Ready', type: 'integer', jsonPath: '.status.readyInstances' },
      { name: 'Status', type: 'string', jsonPath: '.status.phase' },
      { name: 'Primary', type: 'string', jsonPath: '.status.currentPrimary' },
    ],
  },
  {
    group,
    kind: 'Backup',
    plural: 'backups',
    spec: { required: ['cluster'], properties: { cluster: clusterReference, method: { type: 'string', enum: ['barmanObjectStore', 'volumeSnapshot', 'plugin'] } } },
    columns: [
      { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster.name' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    ],
  },
  {
    group,
    kind: 'Pooler',
    plural: 'poolers',
    spec: { required: ['cluster'], properties: { cluster: clusterReference, type: { type: 'string', enum: ['rw', 'ro', 'r'] }, instances: { type: 'integer' } } },
    columns: [{ name: 'Cluster', type: 'string', jsonPath: '.spec.cluster.name' }],
  },
  {
    group: barmanGroup,
    kind: 'ObjectStore',
    plural: 'objectstores',
    spec: { required: ['configuration'], properties: { configuration: { ...anything, required: ['destinationPath'], properties: { destinationPath: { type: 'string', minLength: 1 } } } } },
    columns: [],
  },
];

export const definitions: readonly Body[] = kinds.map(({ group, kind, plural, spec, columns }) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: columns,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, ...spec }, status: anything },
          },
        },
      },
    ],
  },
}));
