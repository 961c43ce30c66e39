import { Type } from 'typebox';
import type { LocalServer } from '../../clients/postgres/port.js';
import { defineStep, type DeferredCleanup, type StepContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { Duration, literals, strict } from '../../engine/schema.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { backupEvidence, madeByRun } from './lib/backup-evidence.js';
import { Repository, Server } from './lib/inputs.js';
import { checkRestore, pickBackup, refuseOld } from './lib/pick-backup.js';
import { removeCopy } from './lib/remove-copy.js';
import { normalizeTarget, type Target } from './lib/target.js';

/** A copy that archives writes into its source's archive; the next recovery would then follow the drill's branch. */
const fixedSettings = /^(archive_|restore_command$|recovery_target)/i;

const TargetInput = Type.Object(
  {
    type: literals(['time', 'lsn', 'name', 'xid', 'immediate', 'latest'], { description: '`immediate`: as soon as the backup is consistent; `latest`: the end of the archived WAL' }),
    value: Type.Optional(Type.String({ description: 'A time with Z or an offset, an LSN, a restore point, a transaction id; none for immediate and latest' })),
    inclusive: Type.Optional(Type.Boolean({ description: 'Keep what is exactly at the target; for time, lsn and xid; default true' })),
  },
  strict,
);

export const step = defineStep({
  type: 'postgres.restore',
  summary: 'Restores a copy of a server from a backup and its archived WAL to a target, starts it, and waits until it takes writes. The copy never archives.',
  input: Type.Object(
    {
      repository: Repository('Where the backup and the WAL are'),
      into: Server('The target connection; its data directory must be empty or absent'),
      backup: Type.Optional(Type.String({ minLength: 1, description: "A backup's name, or `latest-before-target` (default)" })),
      maxAge: Type.Optional(Duration('The run is refused when the backup that would be used finished longer ago.')),
      pin: Type.Optional(literals(['rule', 'exact'], { default: 'rule', description: 'exact: the plan names the one backup that may be used, not only the rule that picks it' })),
      target: TargetInput,
      timeline: Type.Optional(
        Type.Union([Type.String({ pattern: '^(current|latest|[1-9]\\d*)$' }), Type.Integer({ minimum: 1 })], {
          description: 'The timeline to follow: `current`, that of the backup (default); a number, such as that of the source when the reference was taken; `latest` follows whatever branch is newest in the archive, an earlier drill\'s too',
        }),
      ),
      settings: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z_][a-z0-9_.]*$' }), Type.String(), { description: 'More server settings of the copy; archiving and recovery settings are refused' })),
      recoveryTimeout: Type.Optional(Duration('How long the replay may take; default 4h. The timeout of the step holds too.')),
    },
    strict,
  ),
  output: Type.Object({ backup: Type.String(), startedAfterMs: Type.Number({ description: 'From the end of the copying to writes accepted' }) }, strict),
  effect: 'create',
  changes: (input) => [{ system: `postgres:${inWords(membersOf(input).into)}`, object: '*' }],
  permissions: () => [],
  selection: {
    rule(input) {
      const { repository, backup, maxAge, pin } = membersOf(input);
      const rule = backup === undefined || backup === 'latest-before-target' ? `the newest backup of ${inWords(repository)} before the target` : `the backup ${inWords(backup)} of ${inWords(repository)}`;
      return { what: 'backup', from: `backups:${inWords(repository)}`, rule, maxAgeMs: typeof maxAge === 'string' ? parseDuration(maxAge) : null, pin: pin === 'exact' };
    },
    async find(input, ctx) {
      const found = await pickBackup(membersOf(input), ctx);
      return found === undefined ? undefined : { name: found.name, at: found.finishedAt };
    },
  },
  preflight: (input, ctx) => checkRestore(membersOf(input), ctx),
  evidence: ['restore-target', 'backup'],
  examples: [
    { title: 'To a moment', with: { repository: 'backups', into: 'copy', target: { type: 'time', value: '2026-11-20T07:30:00.123456Z' } } },
    { title: 'To the end of the archive, on a known timeline', with: { repository: 'backups', into: 'copy', target: { type: 'latest' }, timeline: 1 } },
  ],
  cleanups: { remove: { summary: 'Stops the restored server and removes its data directory', run: (data, identity, ctx) => removeCopy(data, identity, ctx) } },
  repeatable: true,
  plan(input) {
    const { repository, into, backup, target, timeline, settings } = membersOf(input);
    if (settings !== undefined && !isUnknown(settings)) refuseSettings(Object.keys(settings));
    const to = showTarget(target);
    return {
      does: `Restores ${backup === undefined ? 'the latest backup before the target' : inWords(backup)} from ${inWords(repository)} into ${inWords(into)}, replays WAL to ${to} on ${timelineText(timeline)}, promotes, and waits for writes; archive_mode is off`,
      calls: [`restore by the provider of ${inWords(repository)}`, `recovery target: ${to}`, `start postgres of ${inWords(into)}, wait until it left recovery`],
      undo: [`stop ${inWords(into)} and remove its data directory`],
    };
  },
  async run(input, ctx) {
    const target = normalizeTarget(input.target);
    const asked = input.settings ?? {};
    refuseSettings(Object.keys(asked));
    const repository = ctx.ports.postgres.repository(input.repository);
    const local = ctx.ports.postgres.local(input.into);
    const cleanup = await claim(input.into, local, ctx);
    const request = { into: input.into, backup: ctx.pinned ?? input.backup ?? 'latest-before-target', target, timeline: String(input.timeline ?? 'current'), settings: asked };
    const { backup, settings } = await repository.prepareRestore(request, ctx.signal);
    refuseOld(backup, input.maxAge, ctx);
    const inode = await ctx.ports.files.inode(local.dataDir);
    await cleanup.confirm(inode === undefined ? {} : { inode });
    if (!madeByRun(backup, ctx.runId)) await ctx.evidence('backup', backupEvidence(input.repository, repository.provider, backup));
    await ctx.evidence('restore-target', {
      connection: input.into,
      backup: backup.name,
      type: target.type,
      requested: input.target.value ?? null,
      sent: settings[target.type === 'immediate' ? 'recovery_target' : `recovery_target_${target.type}`] ?? target.value ?? null,
      inclusive: ['time', 'lsn', 'xid'].includes(target.type) ? (target.inclusive ?? true) : null,
      timeline: settings['recovery_target_timeline'] ?? request.timeline,
      settings: { ...settings },
    });
    const started = performance.now();
    try {
      const server = await local.start({ wait: 'promoted', timeoutMs: parseDuration(input.recoveryTimeout ?? '4h') });
      await cleanup.confirm({ ...(inode === undefined ? {} : { inode }), pid: server.pid, startTime: server.startTime });
    } catch (error) {
      for (const line of (await local.logLines()).slice(-100)) ctx.log(line);
      throw error;
    }
    for (const line of (await local.logLines()).slice(-200)) ctx.log(line);
    return { backup: backup.name, startedAfterMs: Math.round(performance.now() - started) };
  },
});

/** Only a place that was empty before may be removed afterwards. */
async function claim(into: string, local: LocalServer, ctx: StepContext): Promise<DeferredCleanup> {
  if (!(await local.empty())) {
    throw new StepError('not-empty', `the data directory of ${into} is not empty: ${local.dataDir}`, { hint: `a restore goes to an empty place; look at what is there, and clean up after the run that made it with: muster cleanup <run>` });
  }
  return ctx.defer({ uses: 'postgres.restore/remove', with: { into, dataDir: local.dataDir } });
}

function refuseSettings(names: readonly string[]): void {
  const found = names.find((name) => fixedSettings.test(name));
  if (found !== undefined) throw new StepError('setting-refused', `\`settings\` may not set ${found}`, { hint: 'a restored copy never archives, and its recovery target comes from `target`' });
}

/** Refuses a target that can be judged already. */
function showTarget(target: unknown): string {
  if (target === undefined || isUnknown(target)) return inWords(target);
  const { type, value, inclusive } = target as { type?: unknown; value?: unknown; inclusive?: unknown };
  if (![type, value, inclusive].some(isUnknown)) normalizeTarget(target as Target);
  return value === undefined ? inWords(type) : `${inWords(type)} ${inWords(value)}${inclusive === false ? ' (exclusive)' : ''}`;
}

function timelineText(timeline: unknown): string {
  if (timeline === undefined || timeline === 'current') return "the backup's timeline";
  return timeline === 'latest' ? 'the newest timeline in the archive' : `timeline ${inWords(timeline)}`;
}
