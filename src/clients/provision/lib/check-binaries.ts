import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { PreflightCheck } from '../../../engine/define-step.js';
import { messageOf, StepError } from '../../../engine/errors.js';
import { npmBinaries, versionOf } from './binaries.js';

/** Is there a PostgreSQL that can be run? Looks where it stands: a copy for another user is made by the run alone. */
export async function checkBinaries(folder: string | undefined): Promise<PreflightCheck[]> {
  const id = 'PostgreSQL binaries';
  try {
    const binDir = folder ?? join(npmBinaries(), 'bin');
    if (folder !== undefined) await access(join(binDir, 'postgres'), constants.X_OK);
    return [{ id, result: 'passed', detail: `PostgreSQL ${await versionOf(binDir, { uid: null, gid: null })} in ${binDir}` }];
  } catch (error) {
    // Those from npm may need links that only the run's own copy has.
    return [{ id, result: folder === undefined && !(error instanceof StepError && error.message.includes('is not installed')) ? 'could-not-run' : 'failed', detail: `${messageOf(error)}${error instanceof StepError && error.hint !== undefined ? ` (${error.hint})` : ''}` }];
  }
}
