import { join } from 'node:path';
import { packageRoot } from '../src/engine/package-root.js';
import { muster, runNode } from './child.js';
import { ratioInTurn, type BenchRow } from './row.js';

const rounds = 11;
const runbook = join(packageRoot(), 'runbooks', 'pitr-restore.yaml');

/** What a user waits for before anything happens, against the start of node itself. */
export async function startup(): Promise<BenchRow[]> {
  const wall = (...args: string[]) => async () => (await runNode(args)).ms;
  await runNode([muster, 'validate', runbook]);
  const version = await ratioInTurn(rounds, wall(muster, '--version'), wall('-e', '0'));
  const validate = await ratioInTurn(rounds, wall(muster, 'validate', runbook), wall('-e', '0'));
  return [
    { name: 'muster --version against node -e 0', measured: version, limit: 2, unit: 'x' },
    { name: 'muster validate of the shipped runbook against node -e 0', measured: validate, limit: 4, unit: 'x' },
  ];
}
