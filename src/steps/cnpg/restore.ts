import { Type, type Static } from 'typebox';
import type { KubernetesCluster } from '../../clients/kubernetes/port.js';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { formatDuration, parseDuration } from '../../engine/duration.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { runMark } from '../../engine/mark.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { Duration, literals, strict } from '../../engine/schema.js';
import { planned, rightOf } from '../k8s/lib/declare.js';
import { normalizeTarget, type Target } from '../postgres/lib/target.js';
import { backupEvidence, usableOf, type CompletedBackup } from './lib/backups.js';
import { backups, clusters, inShort, nameOf, objectStores, readCluster, type ClusterFacts } from './lib/cluster.js';
import type { ServerFacts } from './lib/checks.js';
import { within } from './lib/deadline.js';
import { ClusterName, Kubernetes, Namespace, referenceOf, Server, Within } from './lib/inputs.js';
import { archivesTo, copyOf, recoveryTarget, targetField } from './lib/manifest.js';
import { checkRecovery, choose, pickNow, requireBackup } from './lib/pick.js';
import { removeCluster } from './lib/remove-copy.js';
import { readServer } from './lib/server.js';
import { checkWindow, inWordsOf, requireStore, windowOf } from './lib/store.js';
import { checkStoreThere, storeThere } from './lib/store-there.js';
import { untilRestored } from './lib/wait-copy.js';

const TargetInput = Type.Object(
  {
    type: literals(['time', 'lsn', 'name', 'xid', 'immediate', 'latest'], { description: '`immediate`: as soon as the backup is consistent; `latest`: the end of the archived WAL. name, xid and immediate need `backup`' }),
    value: Type.Optional(Type.String({ description: 'A time with Z or an offset, an LSN, a restore point, a transaction id; none for immediate and latest' })),
    inclusive: Type.Optional(Type.Boolean({ description: 'Keep what is exactly at the target; for time, lsn and xid; default true' })),
  },
  strict,
);

const Input = Type.Object(
  {
    kubernetes: Kubernetes,
    cluster: ClusterName,
    namespace: Namespace,
    into: Server('The target connection (provision: restored-cnpg): where the new Cluster is made, and under which name'),
    objectStore: Type.Optional(Type.String({ minLength: 1, description: "Name of the ObjectStore in the copy's namespace; default: that of the source's own, which must then be there too" })),
    backup: Type.Optional(Type.String({ minLength: 1, description: "A backup's id in the store, or the name of its Backup; default: the last one that ended before the target" })),
    maxAge: Type.Optional(Duration('The run is refused when the backup that would be used finished longer ago.')),
    pin: Type.Optional(literals(['rule', 'exact'], { default: 'rule', description: 'exact: the plan names the one backup that may be used, not only the rule that picks it' })),
    target: TargetInput,
    timeline: Type.Optional(
      Type.Union([Type.String({ pattern: '^(current|latest|[1-9]\\d*)$' }), Type.Integer({ minimum: 1 })], {
        description: "The timeline to follow: `current`, that of the backup (default); a number, such as that of the source when the reference was taken; `latest`, which is the operator's own default, follows whatever branch is newest in the archive",
      }),
    ),
    instances: Type.Optional(Type.Integer({ minimum: 1, maximum: 9, default: 1, description: 'Of the copy' })),
    superuser: Type.Optional(Type.Boolean({ default: true, description: 'Let the operator make a Secret for the superuser of the copy, which deep checks of its content need' })),
    within: Within('the restore', '4h'),
  },
  strict,
);

export const step = defineStep({
  type: 'cnpg.restore',
  summary:
    "Restores a CloudNativePG Cluster's backup and WAL to a target, as a new Cluster that never archives, and waits until it takes writes over SQL on a new timeline. Looks at the recovery window first. The copy is deleted by its uid when the drill ends.",
  input: Input,
  output: Type.Object({ cluster: Type.String(), backup: Type.String({ description: 'Its id in the store' }), timeline: Type.Integer({ description: 'That the copy writes now' }), systemId: Type.String() }, strict),
  effect: 'create',
  changes: (input) => [{ system: `postgres:${inWords(membersOf(input).into)}`, object: '*' }, { system: 'kubernetes:*', object: 'cluster *' }],
  permissions: (input) => {
    const { kubernetes, cluster, namespace } = membersOf(input);
    // What the copy needs is told by its own connection (restored-cnpg).
    return [
      rightOf({ kubernetes, namespace, kind: clusters.kind, name: cluster }, ['get']),
      rightOf({ kubernetes, namespace, kind: backups.kind }, ['list'], { named: false }),
      rightOf({ kubernetes, namespace, kind: objectStores.kind }, ['get'], { named: false }),
    ];
  },
  selection: {
    rule(input) {
      const { kubernetes, cluster, backup, maxAge, pin } = membersOf(input);
      const rule = backup === undefined ? `the last completed backup of ${inWords(cluster)} before the target` : `the backup ${inWords(backup)} of ${inWords(cluster)}`;
      return { what: 'backup', from: `backups:${inWords(kubernetes)}/${inWords(cluster)}`, rule, maxAgeMs: typeof maxAge === 'string' ? parseDuration(maxAge) : null, pin: pin === 'exact' };
    },
    async find(input, ctx) {
      const found = await pickNow(membersOf(input), ctx);
      return found === undefined ? undefined : { name: found.id, at: found.stoppedAt };
    },
  },
  preflight: async (input, ctx) => [...(await checkRecovery(membersOf(input), ctx, new Date().toISOString())), ...(await checkStoreThere(membersOf(input), ctx))],
  evidence: ['backup', 'restore-target', 'archiving'],
  examples: [
    { title: 'To a moment', with: { kubernetes: 'k8s', cluster: 'orders', into: 'copy', target: { type: 'time', value: '2026-11-20T07:30:00.123456Z' } } },
    { title: 'To a restore point, from a named backup', with: { kubernetes: 'k8s', cluster: 'orders', into: 'copy', target: { type: 'name', value: 'before-release' }, backup: '20261120T070000' } },
  ],
  cleanups: { delete: { summary: 'Deletes the restored Cluster, by its uid, and waits until its pods and volume claims are gone', run: removeCluster } },
  repeatable: true,
  plan(input) {
    const { cluster, namespace, into, target, backup, timeline, instances } = membersOf(input);
    const { type, value } = target === undefined || isUnknown(target) ? {} : target;
    if (typeof type === 'string') requireBackup(type, backup);
    const source = planned({ kind: clusters.kind, namespace, name: cluster });
    const to = `${inWords(type ?? target)}${value === undefined ? '' : ` ${inWords(value)}`}`;
    return {
      does: `Restores ${backup === undefined ? 'the last backup before the target' : inWords(backup)} of ${source} as the new Cluster behind ${inWords(into)}, replays WAL to ${to} on ${timeline === undefined ? "the backup's timeline" : `timeline ${inWords(timeline)}`}, and waits for writes; it has neither plugins nor backup, so it never archives`,
      calls: [
        `get ${source}, its store's recovery window and its Backups`,
        `create a Cluster (${instances === undefined ? 1 : inWords(instances)} instance(s), bootstrap.recovery with one target, backupID and targetTLI)`,
        'watch it until it is healthy',
        `SELECT pg_is_in_recovery() and identity on ${inWords(into)}, until it takes writes`,
      ],
      undo: ['Deletes the restored Cluster, by its uid, and waits until its pods and volume claims are gone'],
    };
  },
  async run(input, ctx) {
    const target = normalizeTarget(input.target);
    requireBackup(target.type, input.backup);
    targetField(target);
    const place = ctx.ports.postgres.managed(input.into);
    const from = ctx.ports.kubernetes.cluster(input.kubernetes);
    const to = ctx.ports.kubernetes.cluster(place.kubernetes);
    const source = readCluster(await from.get({ ...clusters, ...referenceOf(input) }));
    const store = await storeThere(input, source, from, to, place.namespace);
    const window = await windowOf(source, requireStore(source), from);
    if (target.type === 'time') checkWindow(window, input.target.value ?? '', ctx.clock.now().at);
    const backup = await pick(input, target, source, from, ctx);
    const timeline = input.timeline === undefined || input.timeline === 'current' ? String(backup.timeline) : String(input.timeline);
    const wanted = recoveryTarget(target, backup.id, timeline);
    const manifest = copyOf(source, store, { name: place.cluster, namespace: place.namespace, runId: ctx.runId, instances: input.instances ?? 1, superuser: input.superuser ?? true, recoveryTarget: wanted });
    const cleanup = await ctx.defer({ uses: 'cnpg.restore/delete', with: { kubernetes: place.kubernetes, namespace: place.namespace, cluster: place.cluster } });
    const made = await to.create(manifest);
    await cleanup.confirm({ uid: made.metadata.uid ?? '' });
    // This run's own is on record already.
    if (backup.run !== runMark(ctx.runId)) await ctx.evidence('backup', backupEvidence(backup, source, requireStore(source)));
    await ctx.evidence('restore-target', {
      connection: input.into,
      backup: backup.id,
      type: target.type,
      requested: input.target.value ?? null,
      sent: target.value ?? null,
      inclusive: ['time', 'lsn', 'xid'].includes(target.type) ? (target.inclusive ?? true) : null,
      timeline,
      settings: Object.fromEntries(Object.entries(wanted).map(([name, value]) => [`recoveryTarget.${name}`, String(value)])),
    });
    const server = await restored(input, ctx, { cluster: to, namespace: place.namespace, name: place.cluster, backup, source });
    return { cluster: place.cluster, backup: backup.id, timeline: server.timeline, systemId: server.systemId };
  },
});

type Given = Static<typeof Input>;

async function pick(input: Given, target: Target, source: ClusterFacts, from: KubernetesCluster, ctx: StepContext): Promise<CompletedBackup> {
  const store = requireStore(source);
  const { items } = await from.list({ ...backups, namespace: source.namespace });
  const usable = usableOf(items, source, store);
  const backup = choose(usable, ctx.pinned ?? input.backup, { type: target.type, ...(target.type === 'time' ? { value: input.target.value ?? '' } : target.value === undefined ? {} : { value: target.value }) });
  if (backup === undefined) {
    const there = usable.map(({ id, stoppedAt }) => `${id} (ended ${stoppedAt})`).join(', ');
    throw new StepError('no-backup', `no completed Backup of ${nameOf(source)} in ${inWordsOf(store)} can be used${input.backup === undefined ? ' for this target' : `: ${input.backup} is not among them`}; there is ${there === '' ? 'none' : there}`);
  }
  const ageMs = Date.parse(ctx.clock.now().at) - Date.parse(backup.stoppedAt);
  if (input.maxAge !== undefined && ageMs > parseDuration(input.maxAge)) throw new StepError('backup-too-old', `the backup ${backup.id} is ${formatDuration(ageMs)} old, at most ${input.maxAge} is allowed`);
  return backup;
}

interface Copy {
  readonly cluster: KubernetesCluster;
  readonly namespace: string;
  readonly name: string;
  readonly backup: CompletedBackup;
  readonly source: ClusterFacts;
}

/** Ready is only the operator's word for its phase: SQL, timeline and system identifier say whether there is a copy. */
async function restored(input: Given, ctx: StepContext, copy: Copy): Promise<ServerFacts> {
  let last: ClusterFacts | undefined;
  let complaint = '';
  const late = () => new StepError('not-restored', `${copy.name} was not restored within ${input.within ?? '4h'}: ${complaint === '' ? (last === undefined ? 'nothing was seen of it' : inShort(last)) : complaint}`);
  return within(ctx, parseDuration(input.within ?? '4h'), async (signal) => {
    const facts = await untilRestored(copy, ctx, signal, (seen) => (last = seen));
    await ctx.evidence('archiving', { connection: input.into, by: `${nameOf(facts)} (CloudNativePG)`, to: archivesTo(facts), uid: facts.uid, revision: facts.revision });
    await ctx.provision(input.into);
    for (;;) {
      const server = await readServer(ctx, input.into).catch((error: unknown) => {
        signal.throwIfAborted();
        complaint = `it does not answer SQL: ${messageOf(error)}`;
      });
      if (server !== undefined && !server.inRecovery) return checked(server, facts, copy);
      if (server !== undefined) complaint = 'its server is still in recovery';
      await ctx.clock.sleep(200, signal);
    }
  }, late);
}

function checked(server: ServerFacts, facts: ClusterFacts, { backup, source, name }: Copy): ServerFacts {
  if (server.systemId !== source.systemId) throw new StepError('other-system', `the server behind ${name} has the system identifier ${server.systemId}, ${nameOf(source)} has ${source.systemId ?? 'none'}`);
  if (server.timeline <= backup.timeline) throw new StepError('not-promoted', `${nameOf(facts)} writes timeline ${server.timeline}; the backup is of timeline ${backup.timeline}, and a restored copy begins another`);
  return server;
}
