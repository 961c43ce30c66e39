/** `details` of `connection.provisioned` for kind `postgres`. JSON, no secrets. */
export interface PostgresDetails {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** The role that looks at a production server before and after a drill; default `user`. */
  readonly observer?: string;
  /** Default `disable`. `require` encrypts only; `verify-full` also checks the certificate and the host's name. */
  readonly tls?: 'disable' | 'require' | 'verify-full';
  /** PEM file of the authority that `verify-full` trusts; default: those that Node.js trusts. */
  readonly caFile?: string;
  /** pgpass file of a server that this run has made, whose copies have its roles and so its passwords; or of a managed one. */
  readonly passFile?: string;
  /** Which object describes a server that an operator runs. */
  readonly managed?: ManagedServer;
  /** Where a local server's files are; absent for a server that is not ours to start. */
  readonly local?: {
    readonly binDir: string;
    readonly dataDir: string;
    readonly logFile: string;
    /** Of the binaries, as `postgres --version` gives it: `18.4`. */
    readonly version: string;
    /** The user that postgres runs as when Muster is root. */
    readonly uid: number | null;
    readonly gid: number | null;
    /** Written to postgresql.conf of a server that is created or restored there. */
    readonly settings: Readonly<Record<string, string>>;
  };
}

/** An operator's object: what it says of the server is to be asked of that Kubernetes connection. */
export interface ManagedServer {
  readonly by: 'cnpg';
  readonly kubernetes: string;
  readonly namespace: string;
  readonly cluster: string;
}

/** A managed server that a step has yet to make has no address. */
export type PlannedServer = Omit<PostgresDetails, 'host' | 'port'> & { readonly managed: ManagedServer };

export type LocalDetails = NonNullable<PostgresDetails['local']>;

/** `details` of kind `postgres-backups`. */
export interface BackupsDetails {
  readonly provider: 'directory' | 'pgbackrest';
  /** directory: the folder with base/ and wal/. pgbackrest: the repository path. */
  readonly path: string;
  /** pgbackrest */
  readonly stanza?: string;
  readonly configFile?: string;
  readonly command?: string;
  readonly uid: number | null;
  readonly gid: number | null;
}
