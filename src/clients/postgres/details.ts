/** `details` of `connection.provisioned` for kind `postgres`. JSON, no secrets. */
export interface PostgresDetails {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Where a local server's files are; absent for a server that is not ours to start. */
  readonly local?: {
    readonly binDir: string;
    readonly dataDir: string;
    readonly logFile: string;
    /** The user that postgres runs as when Muster is root. */
    readonly uid: number | null;
    readonly gid: number | null;
    /** Written to postgresql.conf of a server that is created or restored there. */
    readonly settings: Readonly<Record<string, string>>;
  };
}

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
