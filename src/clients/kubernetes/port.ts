/** An object of the API as plain JSON. `managedFields` are left out unless they are asked for. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  /** Second resolution, UTC. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly apiVersion: string; readonly kind: string; readonly name: string; readonly uid: string; readonly controller?: boolean }[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFields[];
  readonly [field: string]: unknown;
}

/** Who set which fields last; no history. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  /** Second resolution, UTC. */
  readonly time?: string;
  readonly subresource?: string;
  readonly fieldsV1?: FieldSet;
}

/** `f:<name>` and `k:{...}` members of a field set. */
export interface FieldSet {
  readonly [path: string]: FieldSet | undefined;
}

/** What is to be written: an object without what the server sets. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** A kind by its name, plural, singular or short name, in any case: `Deployment`, `deployments`, `deploy`, `clusters.postgresql.cnpg.io`. */
export interface KindName {
  readonly kind: string;
  /** `apps/v1`; default: the version that the server prefers. A beta version that the server has no more is an error, never guessed. */
  readonly apiVersion?: string;
}

/** Objects of one kind. Without `namespace`: in the connection's own; no meaning for kinds that have none. */
export interface Collection extends KindName {
  readonly namespace?: string;
}

/** One object. */
export interface Reference extends Collection {
  readonly name: string;
}

/** A kind as the server serves it. */
export interface Resource {
  /** '' for the core group. */
  readonly group: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** `deployments` */
  readonly plural: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly subresources: readonly string[];
}

export interface ReadOptions {
  readonly managedFields?: boolean;
}

export interface ListOptions extends ReadOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Metadata alone: kinds whose content must not be read (secrets), or is not needed. */
  readonly metadataOnly?: boolean;
}

export interface WriteOptions {
  /** The server does everything but keep it: a rejection is that of the real call. Counts as reading. */
  readonly dryRun?: boolean;
  /** `status`, `scale`, ... */
  readonly subresource?: string;
}

export interface ApplyOptions extends WriteOptions, ReadOptions {
  /** What the guard is told; default `create`. */
  readonly effect?: 'create' | 'modify';
  /** Takes fields over that another manager owns. Default false: StepError `k8s-conflict` names the manager. */
  readonly force?: boolean;
}

export interface PatchOptions extends WriteOptions {
  /** Default `merge` (RFC 7396). `json`: RFC 6902. `strategic`: built-in kinds only. */
  readonly type?: 'merge' | 'json' | 'strategic';
  /** Refuses any other object of that name (`k8s-conflict`). Not with `json`: test /metadata/uid in the patch. */
  readonly uid?: string;
  readonly effect?: 'modify' | 'destroy';
}

export interface DeleteOptions {
  readonly dryRun?: boolean;
  /** Deletes only the object with this uid: `k8s-conflict` when another one bears the name. Give it whenever it is known. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly gracePeriodSeconds?: number;
  readonly propagation?: 'Foreground' | 'Background' | 'Orphan';
}

export interface WatchOptions extends ListOptions {
  /** Goes on from a list (`List.resourceVersion`) instead of listing first. */
  readonly from?: string;
  readonly name?: string;
}

export interface List {
  readonly items: readonly KubernetesObject[];
  readonly resourceVersion: string;
}

/**
 * `listed` comes first (unless `from` was given), and again after each `gap`: what happened in between is known by comparing
 * alone. `interrupted`: the connection was lost; `resumed` says that nothing was missed. Deleted objects come in their last state.
 */
export type WatchEvent =
  | { readonly type: 'listed'; readonly items: readonly KubernetesObject[]; readonly resourceVersion: string }
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: KubernetesObject }
  | { readonly type: 'gap'; readonly detail: string }
  | { readonly type: 'interrupted'; readonly detail: string }
  | { readonly type: 'resumed' };

export interface AccessQuestion {
  readonly verb: string;
  /** '' for the core group. */
  readonly group: string;
  /** `pods`, `pods/exec`. */
  readonly resource: string;
  /** Absent: asked for the whole cluster. */
  readonly namespace?: string;
  readonly name?: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly container?: string;
  readonly stdin?: string;
  /** What the command does, for guard and fault stamp. */
  readonly effect: 'read' | 'create' | 'modify' | 'destroy';
}

export interface LogOptions {
  readonly container?: string;
  readonly previous?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
}

/** Where calls go. */
export interface ClusterIdentity {
  readonly context: string;
  readonly server: string;
  /** Of the namespace kube-system. */
  readonly uid: string;
  /** The connection's own. */
  readonly namespace: string;
}

/**
 * One cluster. Every call is checked against the boundary and goes to the cluster that was provisioned: its uid is compared
 * before the first call of a process. Calls obey the caller's signal; while the API server restarts they wait for it, within
 * that signal (before a run: for some seconds), and so they do while it forbids or does not serve what it has not read yet. 429 is
 * waited out as the server says.
 * All throw StepError: `k8s-not-found`, `k8s-conflict`, `k8s-exists`, `k8s-rejected` (400, 422: the server's own words),
 * `k8s-forbidden`, `k8s-unauthorized`, `k8s-no-such-kind` (also: no longer served), `k8s-unreachable` (retryable), `k8s-other-cluster`, `k8s-error`.
 */
export interface KubernetesCluster extends ClusterIdentity {
  /** `v1.36.1` */
  version(): Promise<string>;
  resource(kind: KindName): Promise<Resource>;
  /** Every kind that can be listed, each once, in its preferred version. Groups that do not answer are left out and named. */
  resources(): Promise<{ readonly resources: readonly Resource[]; readonly unavailable: readonly string[] }>;

  get(reference: Reference, options?: ReadOptions & { readonly subresource?: string }): Promise<KubernetesObject>;
  /** undefined when it is not there. */
  find(reference: Reference, options?: ReadOptions & { readonly subresource?: string }): Promise<KubernetesObject | undefined>;
  list(collection: Collection, options?: ListOptions): Promise<List>;
  /** The same in pieces of at most 500, for what need not be held at once. */
  pages(collection: Collection, options?: ListOptions): AsyncIterable<readonly KubernetesObject[]>;
  /** Until `signal` (or the caller's own) is aborted, which ends it without an error. */
  watch(collection: Collection, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /**
   * Watches one object until `look` returns something else than undefined; it sees undefined while there is no such object. Rejects with the
   * signal's reason; StepErrors that `look` throws end the wait.
   */
  until<T>(reference: Reference, look: (object: KubernetesObject | undefined) => T | undefined, signal: AbortSignal): Promise<T>;

  /** Server-side apply as the field manager `muster`. */
  apply(manifest: Manifest, options?: ApplyOptions): Promise<KubernetesObject>;
  /** `k8s-exists` when there is one already. */
  create(manifest: Manifest, options?: WriteOptions): Promise<KubernetesObject>;
  /** With metadata.resourceVersion: only if nobody changed it since. */
  replace(manifest: Manifest, options?: WriteOptions): Promise<KubernetesObject>;
  patch(reference: Reference, patch: unknown, options?: PatchOptions): Promise<KubernetesObject>;
  /** Through the scale subresource. `before`: the replicas asked for until now. */
  scale(reference: Reference, replicas: number, options?: { readonly dryRun?: boolean; /** Only if that many are asked for now. */ readonly from?: number }): Promise<{ readonly before: number }>;
  /** false when there was nothing to delete. Returns at once: wait for finalizers with `until`. */
  delete(reference: Reference, options?: DeleteOptions): Promise<boolean>;
  /** Asks for a pod to be evicted. StepError `k8s-disruption-budget` (retryable) while a PodDisruptionBudget forbids it. False when it is gone. */
  evict(pod: { readonly namespace?: string; readonly name: string }, options?: { readonly dryRun?: boolean; readonly uid?: string; readonly gracePeriodSeconds?: number }): Promise<boolean>;

  /** Of a pod. StepError `k8s-exec-failed` when the node cannot run it. */
  exec(pod: { readonly namespace?: string; readonly name: string }, argv: readonly string[], options: ExecOptions, signal: AbortSignal): Promise<ExecResult>;
  logs(pod: { readonly namespace?: string; readonly name: string }, options?: LogOptions): Promise<string>;
  /** Asks for nothing that everyone may not ask, so that the server's audit log holds a request with this auditID. */
  leaveMark(auditId: string): Promise<void>;
  /** What of these the caller may not do (SelfSubjectAccessReview), with the server's reason. */
  denied(questions: readonly AccessQuestion[]): Promise<readonly { readonly question: AccessQuestion; readonly reason: string }[]>;
}

export interface KubernetesPort {
  /** Sends nothing. Throws StepError `no-such-connection` while the connection is not provisioned. */
  cluster(connection: string): KubernetesCluster;
}
