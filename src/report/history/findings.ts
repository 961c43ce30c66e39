import { sha256 } from '../../engine/canonical.js';
import type { ReasonCode } from '../../engine/drill.js';
import type { Findings } from '../../engine/record-documents.js';
import type { BundleSummary } from './types.js';

type Kept = Findings['findings'][number];

/** What a drill that did not pass found: all its reasons of one code at one step. */
export interface Finding {
  readonly id: string;
  readonly code: ReasonCode;
  readonly step: string | null;
  readonly details: readonly string[];
  readonly drill: BundleSummary;
  /** From findings.yaml. */
  readonly kept: Kept | null;
  readonly state: 'open' | 'closed' | 'accepted';
  /** Open, and its due day is over. */
  readonly overdue: boolean;
  /** The drill that closes it, or until when and by whom its risk was accepted. */
  readonly because: string | null;
  /** Claims that do not hold. */
  readonly problems: readonly string[];
}

/** A signed acceptance of a finding's risk, as far as it holds. */
export type Acceptance = { readonly holds: true; readonly by: string; readonly until: string; readonly reason: string } | { readonly holds: false; readonly why: string };

export interface FindingsRequest {
  readonly bundles: readonly BundleSummary[];
  readonly kept: readonly Kept[];
  readonly acceptances: ReadonlyMap<string, Acceptance>;
  /** Whether a bundle verifies. */
  readonly sound: (bundle: BundleSummary) => Promise<boolean>;
  readonly now: Date;
}

export interface FindingsList {
  readonly findings: readonly Finding[];
  /** Findings that are kept or accepted, but come from no bundle here. */
  readonly orphans: readonly string[];
}

/** The same for the same bundle, whatever else lies beside it. */
export function findingId(bundle: string, code: string, step: string | null): string {
  return `F-${sha256(`${bundle} ${code} ${step ?? ''}`).slice(0, 12)}`;
}

/**
 * Every reason of every drill that did not pass, oldest first, and where it stands. It closes only by a later drill that
 * passed, verifies and covers it, or while a signed acceptance of its risk holds; a claim that does not hold leaves it open.
 */
export async function findingsOf({ bundles, kept, acceptances, sound, now }: FindingsRequest): Promise<FindingsList> {
  const byId = new Map(kept.map((each) => [each.id, each]));
  const known = new Set<string>();
  const findings: Finding[] = [];
  for (const drill of bundles) {
    if (drill.verdict === 'passed') continue;
    const groups = new Map<string, Pick<Finding, 'id' | 'code' | 'step'> & { details: string[] }>();
    for (const { code, step = null, detail } of drill.reasons) {
      const id = findingId(drill.sha256, code, step);
      const group = groups.get(id);
      if (group === undefined) groups.set(id, { id, code, step, details: [detail] });
      else group.details.push(detail);
    }
    for (const group of groups.values()) {
      known.add(group.id);
      const entry = byId.get(group.id) ?? null;
      const stands = await standing(drill, entry, acceptances.get(group.id), { bundles, sound });
      findings.push({ ...group, drill, kept: entry, ...stands, overdue: stands.state === 'open' && entry?.due !== undefined && now.getTime() > Date.parse(`${entry.due}T23:59:59.999Z`) });
    }
  }
  return { findings, orphans: [...new Set([...byId.keys(), ...acceptances.keys()])].filter((id) => !known.has(id)) };
}

async function standing(found: BundleSummary, entry: Kept | null, acceptance: Acceptance | undefined, { bundles, sound }: Pick<FindingsRequest, 'bundles' | 'sound'>): Promise<Pick<Finding, 'state' | 'because' | 'problems'>> {
  const problems: string[] = [];
  if (entry?.closedBy !== undefined) {
    const closing = bundles.find(({ run }) => run === entry.closedBy);
    const why = closing === undefined ? 'there is no bundle of it here' : (uncovered(found, closing) ?? ((await sound(closing)) ? undefined : 'its bundle does not verify'));
    if (closing !== undefined && why === undefined) return { state: 'closed', because: `${closing.run} passed with ${closing.runbook.name} ${closing.runbook.version}`, problems };
    problems.push(`closedBy ${entry.closedBy} does not close it: ${why}`);
  }
  if (acceptance?.holds === true) return { state: 'accepted', because: `until ${acceptance.until} by ${acceptance.by}: ${acceptance.reason}`, problems };
  if (acceptance !== undefined) problems.push(`its risk is not accepted: ${acceptance.why}`);
  return { state: 'open', because: null, problems };
}

/** Why a drill does not cover what another one found; undefined when it does. */
function uncovered(found: BundleSummary, closing: BundleSummary): string | undefined {
  if (closing.verdict !== 'passed') return `it ${closing.verdict === 'cancelled' ? 'was cancelled' : closing.verdict === 'failed' ? 'failed' : 'is incomplete'}`;
  if (closing.runbook.name !== found.runbook.name) return `it is a drill of ${closing.runbook.name}`;
  if (compareVersions(closing.runbook.version, found.runbook.version) < 0) return `its runbook ${closing.runbook.version} is older than ${found.runbook.version}`;
  if (closing.environment.sandbox && !found.environment.sandbox) return `it ran in a sandbox, and this was found in ${found.environment.name}`;
  if (closing.startedAt === null || Date.parse(closing.startedAt) <= Date.parse(found.finishedAt ?? found.startedAt ?? '9999-12-31')) return 'it is not later';
  return undefined;
}

/** Order of semantic versions (semver.org, 11): a pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) => {
    const [core = '', ...rest] = version.split('-');
    return { core: core.split('.').map(Number), pre: rest.length === 0 ? null : rest.join('-').split('.') };
  });
  if (first === undefined || second === undefined) return 0;
  for (let index = 0; index < 3; index += 1) {
    const difference = (first.core[index] ?? 0) - (second.core[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  if (first.pre === null || second.pre === null) return (first.pre === null ? 1 : 0) - (second.pre === null ? 1 : 0);
  for (let index = 0; index < Math.max(first.pre.length, second.pre.length); index += 1) {
    const [one, other] = [first.pre[index], second.pre[index]];
    if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
    if (one === other) continue;
    const numbers = [one, other].map((part) => /^\d+$/.test(part));
    if (numbers[0] === true && numbers[1] === true) return Math.sign(Number(one) - Number(other));
    return numbers[0] === true ? -1 : numbers[1] === true ? 1 : one < other ? -1 : 1;
  }
  return 0;
}
