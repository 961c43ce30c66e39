import type { Drill, ReasonCode } from '../engine/drill.js';
import type { DrillEvent, EventDataOf } from '../engine/events.js';
import type { Runbook } from '../engine/documents.js';
import type { Plan } from '../engine/plan-document.js';
import { formatDuration } from '../engine/duration.js';
import { timeline, type RunClock } from './model-clock.js';
import { controlFacts, type ControlFacts } from './model-controls.js';
import { deviations, humanWork, manualWords, type Deviation, type HumanWork } from './model-deviations.js';
import { evidenceList, scopeOfClaim, type EvidenceItem } from './model-evidence.js';
import { approvals, clockRows, findingRows, gapRows, noGaps, type Approvals, type ClockRow, type DecidedFinding, type FindingRow, type GapRow } from './model-findings.js';
import { ganttOf, type Gantt } from './model-gantt.js';
import { recoveryPhases, recoveryPoint, recoveryTime, storeRows, type Objective, type PhaseShare, type StoreRow } from './model-objectives.js';
import { probeLanes, type ProbeLane } from './model-probes.js';
import { deletion, responsibility, scaleRows, type Deletion, type ScaleRow } from './model-record.js';
import { storeView, type StoreView } from './model-store.js';
import { trendRows, type TrendRow } from './model-trend.js';
import type { Fact, ReportFile, Tone } from './model-types.js';
import { utc } from './visible.js';

/** What a report is a pure function of: files of one bundle. Nothing is read from the clock or the machine. */
export interface ReportInput {
  readonly drill: Drill;
  readonly plan: Plan;
  readonly runbook: Runbook;
  readonly events: readonly DrillEvent[];
  /** The payload files except the report itself, sorted by path. */
  readonly files: readonly ReportFile[];
  /** What people decided about its findings since (findings.yaml); never of the bundle itself. */
  readonly decided?: readonly DecidedFinding[];
}

/** All reasons of one code together. */
export interface Reason {
  readonly code: ReasonCode;
  readonly words: string;
  readonly items: readonly { readonly step: string | null; readonly detail: string }[];
}

export interface ReportModel {
  readonly run: string;
  readonly title: string;
  readonly tool: string;
  readonly verdict: { readonly code: Drill['verdict']; readonly word: string; readonly sentence: string; readonly tone: Tone };
  readonly reasons: readonly Reason[];
  readonly when: string;
  /** What the runbook says of its scenario; empty: nothing. */
  readonly scenario: string;
  readonly identity: readonly Fact[];
  readonly scale: readonly ScaleRow[];
  readonly deletion: Deletion;
  readonly trend: readonly TrendRow[];
  readonly objectives: readonly Objective[];
  readonly phases: readonly PhaseShare[];
  readonly stores: readonly StoreRow[];
  readonly gantt: Gantt;
  readonly probes: readonly ProbeLane[];
  readonly gaps: readonly GapRow[];
  /** What an empty list of gaps means. */
  readonly noGaps: string;
  readonly clock: readonly ClockRow[];
  readonly evidence: readonly EvidenceItem[];
  /** Digest of evidence.schema.json; null where the bundle has none. */
  readonly schema: string | null;
  readonly scope: readonly Fact[];
  readonly human: readonly HumanWork[];
  /** What the runbook leaves to people, and what it cost. */
  readonly manual: string;
  readonly deviations: readonly Deviation[];
  readonly changesAllowed: number;
  readonly findings: readonly FindingRow[];
  readonly owner: string;
  readonly approvals: Approvals;
  readonly controls: readonly ControlFacts[];
  readonly notProved: readonly string[];
  /** Null: the environment names no evidence store. */
  readonly store: StoreView | null;
  readonly files: readonly ReportFile[];
  /** One digest for all step logs, so that the page stays small: sha256 of their lines `<sha256>  <path>\n`. */
  readonly logs: { readonly count: number; readonly sha256: string } | null;
}

const verdictWords = {
  passed: { word: 'Passed', tone: 'good', sentence: 'Every objective was met, and everything that the runbook asks for was proved.' },
  failed: { word: 'Failed', tone: 'bad', sentence: 'The drill ran, and recovery did not do what the runbook promises.' },
  incomplete: { word: 'Incomplete', tone: 'warn', sentence: 'Nothing was seen to fail, but not everything that the runbook asks for was proved.' },
  cancelled: { word: 'Cancelled', tone: 'quiet', sentence: 'The drill was ended before it could prove anything.' },
} as const satisfies Record<Drill['verdict'], { word: string; tone: Tone; sentence: string }>;

const reasonWords = {
  'rto-missed': 'Recovery took longer than its objective',
  'rpo-missed': 'More data was lost than the objective allows',
  'step-failed': 'A step failed',
  'step-timed-out': 'A step took longer than it may',
  'content-differs': 'The restored content is not what it should be',
  'wrong-restore-point': 'The copy was not restored to the point that was asked for',
  'wrong-timeline': 'The copy came along another timeline, or rows are missing in its middle',
  'archive-contaminated': 'The drill wrote into the archive of the source',
  'undocumented-change': 'Something was changed that no step of the runbook changes',
  'unversioned-runbook': 'The runbook is not what git has committed',
  'isolation-violated': 'The restored copy could reach what it must not reach',
  'operator-retry': 'The operator had to retry by hand',
  'evidence-write-failed': 'Evidence could not be written',
  residue: 'The drill left something behind',
  'rto-not-measured': 'Recovery time could not be measured',
  'rpo-not-measured': 'Data loss could not be measured',
  'evidence-missing': 'Required evidence was not delivered',
  'manual-unanswered': 'Nobody attested a manual step',
  'step-skipped': 'A step was skipped',
  'partial-run': 'Only a part of the runbook was run',
  'watch-gap': 'Changes could not be watched all the time',
  'probe-gap': 'The service could not be observed all the time',
  'isolation-unproven': 'Isolation could not be proved',
  'backup-made-by-drill': 'The drill made the backup itself: no schedule is proved',
  cancelled: 'The drill was cancelled',
} as const satisfies Record<ReasonCode, string>;

/** A view of the drill for all report formats. It renders what `derive` found and decides nothing. */
export function reportModel(input: ReportInput): ReportModel {
  const { drill, plan, runbook, events, files } = input;
  const clock = timeline(events);
  const logs = files.filter((file) => file.path.startsWith('logs/'));
  const verdict = verdictWords[drill.verdict];
  return {
    run: drill.run,
    title: drill.title,
    tool: plan.binding.tool,
    verdict: { code: drill.verdict, ...verdict },
    reasons: reasons(drill),
    when: drill.startedAt === null ? 'never started' : utc(drill.startedAt),
    scenario: runbook.metadata.description ?? '',
    identity: identity(input, clock),
    scale: scaleRows(plan, events),
    deletion: deletion(events, clock),
    trend: trendRows(drill, events),
    objectives: [recoveryTime(drill, plan), recoveryPoint(drill)],
    phases: recoveryPhases(drill),
    stores: storeRows(drill),
    gantt: ganttOf(drill, runbook, events, clock, plan),
    probes: probeLanes(drill, events, clock),
    gaps: gapRows(drill),
    noGaps: noGaps(drill, plan),
    clock: clockRows(drill),
    evidence: evidenceList(drill, events, files),
    schema: files.find(({ path }) => path === 'evidence.schema.json')?.sha256 ?? null,
    scope: scopeOfClaim(plan, events),
    human: humanWork(events, clock),
    manual: manualWords(drill, events.some(({ type }) => type === 'human.asked')),
    deviations: deviations(events, clock),
    changesAllowed: drill.changes.allowed,
    findings: findingRows(drill, (code) => reasonWords[code], input.decided ?? []),
    owner: runbook.metadata.owner,
    approvals: approvals(plan, runbook.objectives.approved, events),
    controls: controlFacts(runbook.metadata.controls ?? []),
    notProved: drill.notProved,
    store: storeView(drill),
    files: files.filter((file) => !file.path.startsWith('logs/')),
    logs: logs.length === 0 ? null : { count: logs.length, sha256: clock.digest(logs.map((file) => `${file.sha256}  ${file.path}\n`).join('')) },
  };
}

function reasons(drill: Drill): Reason[] {
  return [...new Set(drill.reasons.map(({ code }) => code))].map((code) => ({
    code,
    words: reasonWords[code],
    items: drill.reasons.filter((reason) => reason.code === code).map(({ step, detail }) => ({ step: step ?? null, detail })),
  }));
}

function identity({ drill, plan, runbook, events }: ReportInput, clock: RunClock): Fact[] {
  const started = events.find((event) => event.type === 'run.started');
  const { binding } = plan;
  const git = binding.runbook.git;
  const faultKinds = { injected: 'injected, something was really broken', declared: 'declared, nothing was broken', planned: 'planned, a switchover' } as const;
  const facts: Fact[] = [
    { label: 'Environment', value: drill.environment.sandbox ? `${drill.environment.name}, made for the drill` : drill.environment.name },
    { label: 'Fault', value: drill.fault === null ? `none was sent; ${faultKinds[binding.fault]}` : `${faultKinds[drill.fault.kind]}${drill.fault.step === null ? '' : `, by step ${drill.fault.step}`}` },
    { label: 'Fault at', value: drill.fault === null ? 'never' : utc(drill.fault.at) },
    { label: 'Started', value: drill.startedAt === null ? 'never' : utc(drill.startedAt) },
    { label: 'Finished', value: drill.finishedAt === null ? 'never' : utc(drill.finishedAt) },
    { label: 'Lasted', value: formatDuration(clock.endMs) },
    { label: 'Runbook', value: `${drill.runbook.name} ${drill.runbook.version}` },
    { label: 'Owner', value: runbook.metadata.owner },
    { label: 'Cadence', value: runbook.metadata.cadence ?? 'none set' },
    { label: 'Operator', value: started === undefined ? 'unknown' : `${started.data.operator} on ${started.data.host}` },
    ...responsibility(runbook, started),
    { label: 'Run', value: drill.run, code: true },
    ...closes(drill, started?.data.closes),
    { label: 'Runbook in git', value: git === null ? 'not under version control' : gitWords(git), code: true },
    { label: 'Runbook sha256', value: drill.runbook.sha256, code: true },
    { label: 'Plan digest', value: drill.plan, code: true },
    { label: 'Made by', value: `Muster ${started?.data.tool.version ?? binding.tool}, rules ${drill.rules}${started === undefined ? '' : `, Node ${started.data.tool.node}, ${started.data.tool.platform}`}`, code: true },
  ];
  return facts;
}

/** The failed drill that this one repeats: only a pass closes it. */
function closes(drill: Drill, closed: EventDataOf<'run.started'>['closes']): Fact[] {
  if (closed === undefined) return [];
  return [{ label: drill.verdict === 'passed' ? 'Closes the drill' : 'Does not close the drill', value: `${closed.run}, sha256 ${closed.sha256}`, code: true }];
}

function gitWords(git: NonNullable<Plan['binding']['runbook']['git']>): string {
  const state = !git.tracked ? 'NOT tracked' : git.clean ? 'as committed' : 'CHANGED since its commit';
  return `${git.path} at ${git.commit ?? 'no commit'}, ${state}`;
}
