/** The part of audit.k8s.io/v1 Event that is read. */
export interface AuditEvent {
  /** Of one request; it has an event for each stage. */
  readonly auditID?: string;
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly user?: { readonly username?: string };
  readonly impersonatedUser?: { readonly username?: string };
  readonly userAgent?: string;
  readonly objectRef?: { readonly resource?: string; readonly namespace?: string; readonly name?: string; readonly apiGroup?: string; readonly subresource?: string };
  /** Options of a deletion, or whatever else was sent; not every policy has it audited. */
  readonly requestObject?: unknown;
  readonly responseStatus?: { readonly code?: number };
  /** UTC to the microsecond, by the API server's clock; so is `stageTimestamp`. */
  readonly requestReceivedTimestamp?: string;
  readonly stageTimestamp?: string;
}

/** Where the audit events of one API server come from: one member. */
export interface AuditPlace {
  /** What the API server writes itself (--audit-log-path). */
  readonly file?: string;
  readonly webhook?: WebhookPlace;
  readonly cloudwatch?: CloudWatchPlace;
}

/** Where Muster listens for what the API server sends (--audit-webhook-config-file). */
export interface WebhookPlace {
  readonly host?: string;
  readonly port: number;
  /** Files in PEM form. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** The environment variable that holds the bearer token that must come with every request. */
  readonly tokenFrom?: string;
}

/** Where EKS writes what its API servers audit. */
export interface CloudWatchPlace {
  /** Of kind `aws`. */
  readonly connection: string;
  readonly group: string;
}

/** What is asked for. A source that can leave the rest where it is does so; any may tell more. */
export interface AuditInterest {
  readonly namespaces: readonly string[];
  /** Plurals of cluster-scoped kinds. */
  readonly resources: readonly string[];
}

/** Gets events in no certain order, and some of them twice. */
export interface AuditReader {
  event(event: AuditEvent): void;
  /** Some events will never come. */
  lost(detail: string): void;
  log(line: string): void;
}

/**
 * The audit events of one API server. None of the sources can prove by itself that it is whole: who reads leaves marks in the log
 * (KubernetesCluster.leaveMark) and looks whether they come. Methods throw StepError: `audit-unreadable`, and what AwsPort does.
 */
export interface AuditSource {
  /** In words: `the audit log /var/log/audit.log`. */
  readonly name: string;
  /** How late an event may be, in ms; null: by minutes, so that nobody waits for one. */
  readonly delayMs: number | null;
  /** Can it be used? Begins nothing; resolves to what was found, in words. */
  check(): Promise<string>;
  /** What happens from now on goes to `reader`; some of what came before may, too. */
  begin(reader: AuditReader): Promise<void>;
  /** Resolves once the reader has all that the source holds by now. */
  read(): Promise<void>;
  end(): Promise<void>;
}

export interface AuditPort {
  /** Opens nothing yet. */
  source(place: AuditPlace, interest: AuditInterest): AuditSource;
}
