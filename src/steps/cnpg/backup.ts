import { Type } from 'typebox';
import { defineStep, type BaseContext, type StepContext } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { runLabel, runMark } from '../../engine/mark.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { changeOf, planned, rightOf } from '../k8s/lib/declare.js';
import { backupEvidence, isOver, isUsable, methodOf, readBackup, type BackupFacts } from './lib/backups.js';
import { backups, clusters, readCluster, type ClusterFacts } from './lib/cluster.js';
import { within } from './lib/deadline.js';
import { ClusterName, Kubernetes, Namespace, referenceOf, Within } from './lib/inputs.js';
import { drillName } from './lib/names.js';
import { barmanPlugin, requireStore, type Store } from './lib/store.js';

export const step = defineStep({
  type: 'cnpg.backup',
  summary: 'Takes a base backup of a CloudNativePG Cluster into its own store (a Backup object), and waits until it is complete. Outside sandboxes a backup that the drill made proves no schedule.',
  input: Type.Object({ kubernetes: Kubernetes, cluster: ClusterName, namespace: Namespace, within: Within('the backup', '1h') }, strict),
  output: Type.Object({ backup: Type.String({ description: 'Its id in the store' }), object: Type.String({ description: 'Name of the Backup' }), startLsn: Type.String(), stopLsn: Type.String(), finishedAt: Type.String() }, strict),
  effect: 'create',
  changes: (input) => {
    const { kubernetes, namespace, cluster } = membersOf(input);
    return [changeOf({ kubernetes, namespace, kind: backups.kind, name: '*' }), { system: `backups:${inWords(kubernetes)}/${inWords(cluster)}`, object: '*' }];
  },
  permissions: (input) => {
    const { kubernetes, namespace, cluster } = membersOf(input);
    return [rightOf({ kubernetes, namespace, kind: clusters.kind, name: cluster }, ['get']), rightOf({ kubernetes, namespace, kind: backups.kind }, ['create', 'get', 'list', 'watch', 'delete'], { named: false })];
  },
  evidence: ['backup'],
  examples: [{ title: 'Before a restore drill', with: { kubernetes: 'k8s', cluster: 'orders' } }],
  cleanups: {
    delete: { summary: 'Deletes the Backup object; what it put into the store stays until its retention ends', run: (data, identity, ctx) => remove(data, identity, ctx) },
  },
  repeatable: true,
  plan(input) {
    const { kubernetes, cluster, namespace } = membersOf(input);
    const what = planned({ kind: clusters.kind, namespace, name: cluster });
    return {
      does: `Takes a base backup of ${what} of ${inWords(kubernetes)} into its own store, and waits until it is complete`,
      calls: [`get ${what}`, `create ${planned({ kind: backups.kind, namespace, name: 'muster-<run>-<step>' })}`, 'watch it'],
      undo: ['Deletes the Backup object; what it put into the store stays until its retention ends'],
    };
  },
  async run(input, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(input.kubernetes);
    const facts = readCluster(await cluster.get({ ...clusters, ...referenceOf(input) }));
    const store = requireStore(facts);
    const name = drillName(ctx.runId, ctx.stepId);
    const cleanup = await ctx.defer({ uses: 'cnpg.backup/delete', with: { kubernetes: input.kubernetes, namespace: facts.namespace, name } });
    const made = await cluster.create(manifest(name, facts, store, ctx.runId));
    await cleanup.confirm({ uid: made.metadata.uid ?? '' });
    const backup = await completed(name, facts.namespace, input, ctx);
    if (!isUsable(backup)) throw new StepError('backup-failed', `the Backup ${name} ended as ${backup.phase ?? 'nothing'}: ${backup.error ?? 'it does not say what it holds'}`);
    await ctx.evidence('backup', backupEvidence(backup, facts, store));
    return { backup: backup.id, object: name, startLsn: backup.beginLsn, stopLsn: backup.endLsn, finishedAt: backup.stoppedAt };
  },
});

function manifest(name: string, facts: ClusterFacts, store: Store, runId: string) {
  return {
    apiVersion: 'postgresql.cnpg.io/v1',
    kind: 'Backup',
    metadata: { name, namespace: facts.namespace, labels: { [runLabel]: runMark(runId) } },
    spec: { cluster: { name: facts.name }, method: methodOf(store), ...(store.kind === 'plugin' ? { pluginConfiguration: { name: barmanPlugin } } : {}) },
  };
}

async function completed(name: string, namespace: string, input: { readonly kubernetes: string; readonly within?: string }, ctx: StepContext): Promise<BackupFacts> {
  let last: BackupFacts | undefined;
  const late = () => new StepError('backup-not-completed', `the Backup ${name} was not complete within ${input.within ?? '1h'}: phase ${last?.phase ?? 'none'}${last?.error === null || last === undefined ? '' : `, ${last.error}`}`);
  return within(ctx, parseDuration(input.within ?? '1h'), (signal) => ctx.ports.kubernetes.cluster(input.kubernetes).until({ ...backups, name, namespace }, (object) => {
    if (object === undefined) throw new StepError('backup-failed', `the Backup ${name} is gone`);
    last = readBackup(object);
    return isOver(last) ? last : undefined;
  }, signal), late);
}

async function remove(data: Record<string, unknown>, identity: Record<string, unknown> | undefined, ctx: BaseContext): Promise<void> {
  const reference = { ...backups, namespace: String(data['namespace']), name: String(data['name']) };
  const cluster = ctx.ports.kubernetes.cluster(String(data['kubernetes']));
  const found = await cluster.find(reference);
  const uid = typeof identity?.['uid'] === 'string' ? identity['uid'] : undefined;
  // Without an identity the call may have got through before we died: the label says whose it is.
  if (found === undefined || (uid === undefined ? found.metadata.labels?.[runLabel] !== runMark(ctx.runId) : found.metadata.uid !== uid)) return;
  await cluster.delete(reference, { uid: found.metadata.uid ?? '' });
  await cluster.until(reference, (object) => (object === undefined || object.metadata.uid !== found.metadata.uid ? true : undefined), ctx.signal);
}
