import { Type } from 'typebox';
import { ConnectionName } from '../../../engine/schema.js';

export const Kubernetes = ConnectionName('kubernetes', 'The cluster');
export const Namespace = Type.Optional(Type.String({ pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$', description: "Default: the connection's own" }));
export const Kind = Type.String({ minLength: 1, description: 'Kind, plural or short name: Deployment, deploy, clusters.postgresql.cnpg.io' });
export const ApiVersion = Type.Optional(Type.String({ pattern: '^([a-z0-9.-]+/)?v[0-9]+((alpha|beta)[0-9]+)?$', description: 'apps/v1, postgresql.cnpg.io/v1, ...; default: the version that the server prefers' }));
export const ObjectName = (description = 'Name of the object') => Type.String({ minLength: 1, maxLength: 253, description });

/** The input of a step that works on one object. */
export const objectFields = { kubernetes: Kubernetes, kind: Kind, apiVersion: ApiVersion, namespace: Namespace, name: ObjectName() };
