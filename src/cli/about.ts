import { readFileSync } from 'node:fs';
import { cpus, totalmem, userInfo } from 'node:os';
import type { Plan } from '../engine/plan-document.js';
import type { DrillRequest } from '../engine/run.js';
import { earlierDrills } from '../evidence/history.js';
import type { Sealer } from '../evidence/seal.js';
import { fingerprint } from '../evidence/ssh/keys.js';

/** What the first event says of the operator, of the machine and of the drills before. `sealer`: its key has been tried. */
export async function aboutRun({ binding }: Plan, sealer: Sealer | undefined, evidenceDir: string): Promise<NonNullable<DrillRequest['about']>> {
  const earlier = await earlierDrills(evidenceDir, binding.runbook.name, binding.environment.name);
  const processors = cpus();
  return {
    authenticated: [
      { by: 'operating-system', as: account() },
      ...(sealer === undefined ? [] : [{ by: 'key', as: fingerprint(sealer.signer.publicKey) } as const]),
    ],
    machine: { cpu: processors[0]?.model.trim() ?? 'unknown', cpus: processors.length, memoryBytes: totalmem() },
    ...(earlier.length === 0 ? {} : { earlier }),
  };
}

const unset = '4294967295';

/** The account, and on Linux who logged in before any `su` or `sudo`, as the kernel keeps it. */
function account(): string {
  const { username, uid } = userInfo();
  const own = uid < 0 ? username : `${username}, uid ${uid}`;
  try {
    const login = readFileSync('/proc/self/loginuid', 'utf8').trim();
    return login === unset || login === '' ? own : `${own}, logged in as uid ${login}`;
  } catch {
    return own;
  }
}
