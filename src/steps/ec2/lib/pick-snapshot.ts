import { createHash } from 'node:crypto';
import type { Ec2, Snapshot, Tags } from '../../../clients/ec2/port.js';
import { formatDuration, parseDuration } from '../../../engine/duration.js';
import { StepError } from '../../../engine/errors.js';

/** Inputs of ec2.find-snapshot that say which one. */
export interface SnapshotRule {
  readonly snapshot?: string | undefined;
  readonly tags?: Tags | undefined;
  readonly volume?: string | undefined;
  /** The newest whose data is not younger. */
  readonly at?: string | undefined;
  readonly after?: string | undefined;
  readonly random?: boolean | undefined;
  readonly seed?: string | undefined;
  readonly maxAge?: string | undefined;
}

/** In the words of a plan. `show` says what is not known yet. */
export function ruleInWords(rule: { readonly [K in keyof SnapshotRule]?: unknown }, show: (value: unknown) => string): string {
  if (rule.snapshot !== undefined) return `the snapshot ${show(rule.snapshot)}, owned by this account, completed, not archived`;
  const of = [
    ...(rule.volume === undefined ? [] : [`of ${show(rule.volume)}`]),
    ...(rule.tags === undefined ? [] : [`tagged ${typeof rule.tags === 'object' && rule.tags !== null && !('unknown' in rule.tags) ? Object.entries(rule.tags).map(([key, value]) => `${key}=${show(value)}`).join(', ') : show(rule.tags)}`]),
    ...(rule.after === undefined ? [] : [`after ${show(rule.after)}`]),
    ...(rule.at === undefined ? [] : [`at or before ${show(rule.at)}`]),
  ];
  const which = rule.random === true ? `a random one${rule.seed === undefined ? '' : ` (seed ${show(rule.seed)})`} of the snapshots` : 'the newest snapshot';
  return `${which} ${of.join(', ')}; owned by this account, completed, not archived`.replace(' ;', ';');
}

/**
 * What the rule picks at `now`. A snapshot's time is its StartTime. Throws StepError `wrong-owner`, `snapshot-not-completed`, `snapshot-archived` for one that is
 * named; others are left out and told to `log`.
 */
export async function pickSnapshot(ec2: Ec2, rule: SnapshotRule, { now, seed, log }: { readonly now: string; readonly seed: string; readonly log?: (line: string) => void }): Promise<Snapshot | undefined> {
  if (rule.snapshot !== undefined) return named(ec2, rule.snapshot);
  if (rule.tags === undefined && rule.volume === undefined) throw new StepError('bad-input', 'say which snapshots: by `tags`, by `volume`, or one by `snapshot`');
  const all = await ec2.snapshots({ ...(rule.tags === undefined ? {} : { tags: rule.tags }), ...(rule.volume === undefined ? {} : { volume: rule.volume }) });
  const inTime = all.filter(({ startedAt }) => (rule.at === undefined || Date.parse(startedAt) <= timeOf(rule.at, 'at')) && (rule.after === undefined || Date.parse(startedAt) >= timeOf(rule.after, 'after')));
  const usable = inTime.filter((snapshot) => {
    const why = unusable(snapshot, ec2);
    if (why !== undefined) log?.(`left out: ${why.message}`);
    return why === undefined;
  });
  const newestFirst = usable.toSorted((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt) || a.id.localeCompare(b.id));
  if (rule.random !== true) return newestFirst[0];
  const young = newestFirst.filter((snapshot) => tooOld(snapshot, rule.maxAge, now) === undefined);
  return young[indexOf(seed, young.length)];
}

/** Throws StepError `snapshot-too-old`: the rule that was reviewed allows no such snapshot. */
export function refuseOld(snapshot: Snapshot, maxAge: string | undefined, now: string): void {
  const why = tooOld(snapshot, maxAge, now);
  if (why !== undefined) throw new StepError('snapshot-too-old', why);
}

function tooOld({ id, startedAt }: Snapshot, maxAge: string | undefined, now: string): string | undefined {
  if (maxAge === undefined) return undefined;
  const ageMs = Date.parse(now) - Date.parse(startedAt);
  return ageMs > parseDuration(maxAge) ? `the data of snapshot ${id} is ${formatDuration(ageMs)} old (StartTime ${startedAt}), at most ${maxAge} is allowed` : undefined;
}

async function named(ec2: Ec2, id: string): Promise<Snapshot | undefined> {
  const found = await ec2.snapshot(id);
  const why = found === undefined ? undefined : unusable(found, ec2);
  if (why !== undefined) throw why;
  return found;
}

function unusable({ id, owner, state, tier }: Snapshot, { details }: Pick<Ec2, 'details'>): StepError | undefined {
  if (owner !== details.account) return new StepError('wrong-owner', `the snapshot ${id} is of account ${owner}, not of ${details.account}`, { hint: 'Whoever shares a snapshot decides what is in it: copy it into your own account first.' });
  if (state !== 'completed') return new StepError('snapshot-not-completed', `the snapshot ${id} is ${state}`);
  if (tier !== 'standard') return new StepError('snapshot-archived', `the snapshot ${id} is in the tier ${tier}`, { hint: 'It must be restored from the archive first, which takes up to three days: that is part of your recovery time.' });
  return undefined;
}

function timeOf(text: string, field: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time) || !/(Z|[+-]\d\d:?\d\d)$/.test(text)) throw new StepError('bad-input', `\`${field}\`: expected a time with Z or an offset, such as 2026-01-31T09:30:00Z, found ${JSON.stringify(text)}`);
  return time;
}

/** The same seed and the same number of candidates give the same pick. */
function indexOf(seed: string, count: number): number {
  return count === 0 ? 0 : Number(createHash('sha256').update(seed).digest().readBigUInt64BE() % BigInt(count));
}
