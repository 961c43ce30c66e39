import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { called } from '../engine/called.js';
import { UsageError } from '../engine/errors.js';
import { parseJournal } from '../engine/journal.js';
import type { Plan } from '../engine/plan-document.js';
import { verifyBundle } from '../evidence/verify.js';
import { visible } from '../report/visible.js';
import { insertSteps } from './amend/insert.js';
import { missingSteps } from './amend/missing.js';
import { unifiedDiff } from './amend/unified.js';
import { bundlePath } from './bundle-path.js';
import { exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';

/**
 * `muster amend BUNDLE`: the runbook with what was done by hand as steps where it was done, as a diff to review and to apply with
 * `git apply`. A bundle that is not sound amends nothing: 1.
 */
export async function amend({ bundle }: { readonly bundle: string }, io: CommandIo): Promise<number> {
  const path = await bundlePath(bundle, io.cwd);
  const { defects } = await verifyBundle(path);
  if (defects.length > 0) {
    io.stderr(`${visible(bundle)} is not sound, so nothing is made of it: ${defects.length} ${defects.length === 1 ? 'defect' : 'defects'}. \`muster verify\` names them.\n`);
    return exitCodes.notPassed;
  }
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(join(path, 'data', name), 'utf8');
    } catch (error) {
      throw new UsageError(`${visible(bundle)} is no folder of a bundle`, { cause: error });
    }
  };
  const [text, plan, journal] = await Promise.all([read('runbook.yaml'), read('plan.json'), read('events.jsonl')]);
  const { binding } = JSON.parse(plan) as Plan;
  const missing = missingSteps(binding, parseJournal(journal).events);
  if (missing.length === 0) {
    io.stderr('Nothing was done by hand in this drill: there is no step to insert.\n');
    return exitCodes.passed;
  }
  io.stdout(unifiedDiff(binding.runbook.git?.path ?? 'runbook.yaml', text, insertSteps(text, missing)));
  io.stderr(
    `${missing.length} ${missing.length === 1 ? 'step' : 'steps'} to review. Apply with: ${called} amend ${visible(bundle)} | git apply\nCommit it, and repeat the drill with --closes ${visible(bundle)} (run ${basename(path)}).\n`,
  );
  return exitCodes.passed;
}
