/** What became of one attempt to connect. `detail` says it in words, with the addresses that were tried. */
export interface Reached {
  /** `refused`: somebody answered that nothing listens, so packets get there. */
  readonly found: 'connected' | 'refused' | 'unreachable' | 'could-not-run';
  readonly detail: string;
}

/** Connects and closes: sends no byte. */
export interface ReachPort {
  /** Tries every address of `host` until one answers. Never throws for what the network does; GuardError as elsewhere. */
  tcp(host: string, port: number, timeoutMs: number): Promise<Reached>;
}
