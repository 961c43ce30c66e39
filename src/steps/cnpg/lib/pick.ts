import type { PlanContext, PreflightCheck } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';
import { isUnknown, knownText } from '../../../engine/plannable.js';
import type { Target } from '../../postgres/lib/target.js';
import { parseLsn } from './lsn.js';
import { usableOf, type CompletedBackup } from './backups.js';
import { backups, inShort, nameOf } from './cluster.js';
import { knownCluster } from './find.js';
import { checkWindow, inWordsOf, requireStore, windowOf } from './store.js';

/** The inputs of cnpg.restore that say what is restored from where, any of them still unknown. */
interface Asked {
  readonly kubernetes?: unknown;
  readonly cluster?: unknown;
  readonly namespace?: unknown;
  readonly backup?: unknown;
  readonly target?: unknown;
}

/** Targets that say nothing of when: the operator then wants to be told from which backup to start. */
const needsBackup = ['name', 'xid', 'immediate'] as const satisfies readonly Target['type'][];

/** Throws StepError `bad-target` where the backup must be named. */
export function requireBackup(type: unknown, backup: unknown): void {
  if (backup !== undefined || !needsBackup.some((each) => each === type)) return;
  throw new StepError('bad-target', `a target of type ${String(type)} does not say when it was: \`backup\` must name the backup to start from`);
}

/** `name` is the id in the store or the name of a Backup object; without it the last one that ended before the target. */
export function choose(newestFirst: readonly CompletedBackup[], name: string | undefined, { type, value }: Partial<Target>): CompletedBackup | undefined {
  if (name !== undefined) return newestFirst.find(({ id, object }) => id === name || object === name);
  // Its end is known to the second, cut off.
  const time = type === 'time' && value !== undefined ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(time)) return newestFirst.find(({ stoppedAt }) => Date.parse(stoppedAt) + 1_000 <= time);
  const lsn = type === 'lsn' ? parseLsn(value) : null;
  if (lsn !== null) return newestFirst.find(({ endLsn }) => (parseLsn(endLsn) ?? lsn + 1n) <= lsn);
  return newestFirst[0];
}

/** What the rule picks now; while the target waits for the run, it will lie after now. */
export async function pickNow(asked: Asked, ctx: Pick<PlanContext, 'ports'>): Promise<CompletedBackup | undefined> {
  const facts = await knownCluster(asked, ctx);
  const connection = knownText(asked.kubernetes);
  if (facts === undefined || connection === undefined) throw new StepError('no-such-connection', 'the Cluster is not known before the run');
  const { items } = await ctx.ports.kubernetes.cluster(connection).list({ ...backups, namespace: facts.namespace });
  return choose(usableOf(items, facts, requireStore(facts)), knownText(asked.backup), knownTarget(asked.target));
}

/** Is there a store that can restore, and does it reach back to the target? */
export async function checkRecovery(asked: Asked, ctx: PlanContext, now: string): Promise<PreflightCheck[]> {
  const id = 'recovery window';
  const facts = await knownCluster(asked, ctx);
  const connection = knownText(asked.kubernetes);
  if (facts === undefined || connection === undefined) return [{ id, result: 'deferred', detail: 'the Cluster is not known before the run' }];
  const store = requireStore(facts);
  try {
    const window = await windowOf(facts, store, ctx.ports.kubernetes.cluster(connection));
    const { type, value } = knownTarget(asked.target);
    if (type === 'time' && value !== undefined) checkWindow(window, value, now);
    return [{ id, result: 'passed', detail: `${inWordsOf(store)}: from ${window.first} on; the last backup ended ${window.lastBackup ?? 'at a time that it does not say'}` }];
  } catch (error) {
    if (!(error instanceof StepError) || !['no-recovery-window', 'outside-recovery-window'].includes(error.code)) throw error;
    const early = ctx.stage === 'before' || ctx.stage === 'provisioned';
    if (error.code === 'outside-recovery-window' || !early) return [{ id, result: 'failed', detail: error.message }];
    return [{ id, result: 'deferred', detail: `${error.message}; looked at again after the prepare steps (${nameOf(facts)}: ${inShort(facts)})` }];
  }
}

function knownTarget(target: unknown): Partial<Target> {
  if (typeof target !== 'object' || target === null || isUnknown(target)) return {};
  const { type, value } = target as { readonly type?: unknown; readonly value?: unknown };
  return { ...(typeof type === 'string' ? { type: type as Target['type'] } : {}), ...(typeof value === 'string' ? { value } : {}) };
}
