import type { Drill } from '../drill.js';
import type { Finding } from './reasons.js';

export type StoreRpo = Drill['rpo']['stores'][number];

/** What is known of the loss of one store. */
export interface StoreResult {
  readonly store: StoreRpo;
  readonly findings: readonly Finding[];
  /** All that is known to be lost at least, where the last recovered row is not known. */
  readonly atLeast: bigint | null;
}
