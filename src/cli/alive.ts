import { identityOf } from '../clients/process/identity.js';
import type { RunMeta } from './state.js';

/** Is the process of a run still that process? */
export async function isAlive({ pid, startTime }: RunMeta): Promise<boolean> {
  const identity = await identityOf(pid);
  return identity !== undefined && identity.startTime === startTime;
}
