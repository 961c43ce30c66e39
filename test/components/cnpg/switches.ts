/** What the stand-in operator waits before, so that a drill can be held against known times. */
export const stages = ['detection', 'receivers', 'election', 'promotion', 'labels', 'rejoin', 'replica', 'switchover', 'backup', 'recovery'] as const;
export type Stage = (typeof stages)[number];

/** How the stand-in misbehaves. Everything is off at first. */
export interface Switches {
  /** ms that are waited before a stage. */
  readonly slow: Partial<Record<Stage, number>>;
  /** The failover gets as far as targetPrimary `pending`, and no further. */
  readonly neverElects: boolean;
  /** Names of instances whose pod comes back without ever becoming ready. */
  readonly staysAway: readonly string[];
  /** archive_command exits 1. */
  readonly archivingFails: boolean;
}

export const noSwitches: Switches = { slow: {}, neverElects: false, staysAway: [], archivingFails: false };

/** What really happened, by the operator's own clock: the truth that a drill's figures are compared with. */
export interface Happened {
  /** UTC, ms since the epoch with fraction. */
  readonly at: number;
  readonly cluster: string;
  readonly what: string;
  readonly detail: string;
}

export interface InstanceFacts {
  readonly name: string;
  readonly role: 'primary' | 'replica';
  readonly running: boolean;
  readonly ready: boolean;
  readonly port: number;
  readonly pid: number | undefined;
  readonly dataDir: string;
}

/** What may be asked of the operator's process: one method each of `Operator`. Arguments and answers are JSON. */
export interface Control {
  /** Changes the switches that are named and leaves the others. Answers with all of them. */
  set(switches: Partial<Switches>): Promise<Switches>;
  instances(cluster: string): Promise<readonly InstanceFacts[]>;
  happened(): Promise<readonly Happened[]>;
  /**
   * Stops the WAL receivers of the replicas (SIGSTOP), of all or of those named, once they have received and replayed everything.
   * Answers with the last LSN that they hold. With synchronous replication commits wait from then on.
   */
  freezeReceivers(cluster: string, replicas?: readonly string[]): Promise<string>;
  thawReceivers(cluster: string): Promise<void>;
  /** Ends the server of an instance by SIGKILL and leaves its pod: a container that died. */
  killServer(cluster: string, instance: string): Promise<void>;
  /** Ends a replica's server by SIGKILL and keeps it away until `staysAway` no longer names it. */
  loseReplica(cluster: string, instance: string): Promise<void>;
}
