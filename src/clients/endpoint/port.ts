/** The addresses that clients and probes use. */
export interface EndpointPort {
  address(endpoint: string): { readonly host: string; readonly port: number };
  /** The connection behind it now, if we know. */
  current(endpoint: string): string | null;
  /**
   * Sends new connections to `connection` and ends those that go to the old one. Throws StepError
   * `endpoint-not-ours` when the address is not one that we can move.
   */
  switch(endpoint: string, connection: string): Promise<void>;
}
