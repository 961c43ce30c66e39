import { sha256 } from '../engine/canonical.js';
import { RefusedError } from '../engine/errors.js';
import { verifyBundle } from '../evidence/verify.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';

/** The drill that another one closes, as `run.started` names it. */
export interface ClosedDrill {
  readonly run: string;
  /** Of its tag manifest. */
  readonly sha256: string;
}

/**
 * Reads the bundle of a drill that did not pass, to be named by the one that repeats it. Throws UsageError when there is none;
 * RefusedError for one that is not sound, that passed, or that is of another runbook: nothing has been started then.
 */
export async function closedDrill(bundle: string, runbook: string, cwd: string): Promise<ClosedDrill> {
  const { defects, drill, tagManifestText } = await verifyBundle(await bundlePath(bundle, cwd));
  const shown = visible(bundle);
  if (defects.length > 0 || drill === undefined || tagManifestText === undefined) throw new RefusedError(`${shown} is not sound, so no drill can close it`, ['muster verify names its defects.']);
  if (drill.verdict === 'passed') throw new RefusedError(`the drill of ${shown} passed: there is nothing to close`);
  if (drill.runbook.name !== runbook) throw new RefusedError(`${shown} is of the runbook ${drill.runbook.name}, not of ${runbook}`);
  return { run: drill.run, sha256: sha256(tagManifestText) };
}
