/**
 * An SQL right, exact enough to be granted and to be checked. Names stand as the runbook gives them: `name` or `schema.name`.
 * LOCK: a SHARE lock, which MAINTAIN allows since PostgreSQL 17, and UPDATE, DELETE or TRUNCATE before.
 */
export type SqlRight =
  | { readonly on: 'table'; readonly name: string; readonly privileges: readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE' | 'LOCK')[]; /** The run makes it where it does not exist. */ readonly made?: true }
  | { readonly on: 'owner'; readonly name: string }
  | { readonly on: 'schema'; readonly name: string; readonly privileges: readonly ('USAGE' | 'CREATE')[] }
  | { readonly on: 'function'; readonly name: string; /** Everyone may call it unless that was revoked. */ readonly byDefault?: true }
  | { readonly on: 'role'; readonly name: string }
  | { readonly on: 'superuser' }
  /** What a statement of the runbook's author needs, where that cannot be read off it. */
  | { readonly on: 'statement'; readonly sql: string };

/** A rule of a Role, or of a ClusterRole for what lies in no namespace. */
export interface KubernetesRight {
  readonly system: 'kubernetes';
  readonly connection: string;
  readonly verbs: readonly string[];
  /** '' for the core group. */
  readonly apiGroup: string;
  /** Plural, with a subresource where one is meant: `pods`, `pods/exec`. */
  readonly resource: string;
  /** Default: the connection's own. */
  readonly namespace?: string;
  readonly scope?: 'cluster';
  /** Default: all of them. A name cannot limit `create`, `list`, `watch` and `deletecollection`. */
  readonly names?: readonly string[];
}

/** A statement of an IAM policy. */
export interface AwsRight {
  readonly system: 'aws';
  /** `ec2:CreateVolume` */
  readonly action: string;
  readonly connection?: string;
  /** The end of an ARN of the action's own service, `volume/*`; of S3 `bucket`, the connection's, or `object/<key>` below its prefix; default: `*`, for actions that know no resource. */
  readonly resource?: string;
  /** Only for what bears the connection's tag (`resource`), or is made with it (`request`). */
  readonly tagged?: 'resource' | 'request';
}

/** One right that a run needs, in the words of the system that grants it. */
export type Permission =
  | { readonly system: 'postgres'; /** Or an endpoint: then of what it leads to. */ readonly connection: string; readonly grant: string; readonly sql?: SqlRight; /** Default: the connection's own. */ readonly database?: string }
  | { readonly system: 'command'; readonly command: string }
  | { readonly system: 'path'; readonly path: string; readonly access: 'read' | 'write' }
  | AwsRight
  | KubernetesRight;
