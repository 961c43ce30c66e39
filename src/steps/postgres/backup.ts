import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { strict } from '../../engine/schema.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { backupEvidence } from './lib/backup-evidence.js';
import { Repository, Server } from './lib/inputs.js';
import { onFunctions, rights } from './lib/rights.js';

export const step = defineStep({
  type: 'postgres.backup',
  summary: 'Takes a base backup of a server into a repository.',
  input: Type.Object({ server: Server('The server to back up'), repository: Repository('Where the backup goes') }, strict),
  output: Type.Object(
    { name: Type.String(), startedAt: Type.String(), finishedAt: Type.String(), startLsn: Type.String(), stopLsn: Type.String(), timeline: Type.Integer() },
    strict,
  ),
  effect: 'create',
  changes: (input) => [{ system: `backups:${inWords(membersOf(input).repository)}`, object: '*' }],
  permissions: (input) => rights(membersOf(input).server, [...onFunctions('pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)'), { on: 'role', name: 'pg_read_all_settings' }]),
  evidence: ['backup'],
  examples: [{ title: 'Before the drill', with: { server: 'source', repository: 'backups' } }],
  plan(input) {
    const { server, repository } = membersOf(input);
    return { does: `Takes a base backup of ${inWords(server)} into ${inWords(repository)}; it stays there`, calls: [`backup of ${inWords(server)} by the repository's own provider`] };
  },
  async run(input, ctx) {
    const repository = ctx.ports.postgres.repository(input.repository);
    const backup = await repository.backup(input.server, ctx.signal);
    await ctx.evidence('backup', backupEvidence(input.repository, repository.provider, backup));
    const { name, startedAt, finishedAt, startLsn, stopLsn, timeline } = backup;
    ctx.log(`backup ${name}: ${startLsn} to ${stopLsn} on timeline ${timeline}`);
    return { name, startedAt, finishedAt, startLsn, stopLsn, timeline };
  },
});
