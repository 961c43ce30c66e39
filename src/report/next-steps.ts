import type { ReasonCode } from '../engine/drill.js';

/** What a reader can do about each reason; `bundle` as the reader would type it. */
export function nextStepFor(code: ReasonCode, bundle = 'BUNDLE'): string {
  return nextSteps[code].replaceAll('BUNDLE', () => bundle);
}

const nextSteps: Readonly<Record<ReasonCode, string>> = {
  'rto-missed': 'Look at the phases in the report for where the time went; then shorten that step, or agree on another objective.',
  'rpo-missed': 'Archive or replicate more often, or agree on another objective; the ledger in the bundle names the first lost row.',
  'step-failed': 'Read logs/<step>.log in the bundle; correct the runbook or the system and repeat the drill.',
  'step-timed-out': 'Read logs/<step>.log in the bundle; give the step more time (timeout:) if it was still making progress.',
  'content-differs': 'The restored data is not what it should be: see evidence/reconciliation.json; check the backup and its verification.',
  'wrong-restore-point': 'The copy stopped elsewhere than asked: see evidence/wal-end.json and check that the archive is complete.',
  'wrong-timeline': 'The copy followed another branch of history: set the restore step’s timeline, and see that copies never archive.',
  'archive-contaminated': 'Something wrote into the source’s archive: find and remove it before the next real recovery, and keep archive_mode=off on copies.',
  'undocumented-change': 'muster amend BUNDLE prints the runbook with the missing step; commit it, and repeat the drill with --closes BUNDLE.',
  'unversioned-runbook': 'Commit the runbook and the environment, then repeat the drill (or set runbooks: any for a sandbox).',
  'isolation-violated': 'The restored workload could reach what it must not: close that path before the next drill.',
  'operator-retry': 'A person had to try a step again: give it retry: in the runbook or mend what made it fail.',
  'evidence-write-failed': 'See that the evidence and state directories have room and may be written; repeat the drill.',
  residue: 'Run muster cleanup with this run’s id; what is left is in evidence/residue.json.',
  'rto-not-measured': 'See that an availability probe runs through an endpoint that comes back before the verification ends.',
  'rpo-not-measured': 'See that a ledger probe writes until the fault and can read back what was recovered.',
  'evidence-missing': 'Add the step that delivers this evidence, or take it off evidence.require.',
  'manual-unanswered': 'Run at a terminal or give the answer with --answers FILE.',
  'step-skipped': 'Repeat the drill with every step.',
  'partial-run': 'Repeat the drill from its start to its end.',
  'watch-gap': 'The watcher must see the whole drill: mend its access and repeat.',
  'probe-gap': 'The machine that runs the drill was too busy or slept; repeat it on a quieter one.',
  'isolation-unproven': 'Make the forbidden endpoints checkable from where the restored workload runs.',
  'backup-made-by-drill': 'Use a backup that the schedule made: a backup of the drill proves no schedule.',
  cancelled: 'Everything was cleaned up; start the drill again when you are ready.',
};
