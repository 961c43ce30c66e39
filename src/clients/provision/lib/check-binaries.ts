import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { PreflightCheck } from '../../../engine/define-step.js';
import { messageOf, StepError } from '../../../engine/errors.js';
import { ownerOfServers } from '../../postgres/owner.js';
import { npmBinaries, runsInPlace, versionOf } from './binaries.js';

/** Is there a PostgreSQL that the user of the server can run? Looks where it stands: a copy for that user is made by the run alone. */
export async function checkBinaries(folder: string | undefined, user: string | undefined): Promise<PreflightCheck[]> {
  const id = 'PostgreSQL binaries';
  let inPlace = true;
  try {
    const owner = await ownerOfServers(user);
    const binDir = folder ?? join(npmBinaries(), 'bin');
    if (folder !== undefined) await access(join(binDir, 'postgres'), constants.X_OK);
    else inPlace = runsInPlace(npmBinaries(), owner);
    return [{ id, result: 'passed', detail: `PostgreSQL ${await versionOf(binDir, inPlace ? owner : { uid: null, gid: null })} in ${binDir}` }];
  } catch (error) {
    // Those from npm may need links that only the run's own copy has.
    return [{ id, result: inPlace ? 'failed' : 'could-not-run', detail: `${messageOf(error)}${error instanceof StepError && error.hint !== undefined ? ` (${error.hint})` : ''}` }];
  }
}
