import type { PlanBinding } from '../plan-document.js';
import type { Facts } from './facts.js';
import type { Finding } from './reasons.js';

type Git = PlanBinding['runbook']['git'];

/** Why a file is not what git has committed; null where it is. */
export function unversioned(git: Git): string | null {
  if (git === null) return 'it is in no git repository';
  if (!git.tracked) return 'git does not track it';
  if (git.commit === null) return 'its repository has no commit';
  return git.clean ? null : 'it is not what git has committed';
}

/** unversioned-runbook, where the environment demands committed runbooks. */
export function versionFindings(facts: Facts): Finding[] {
  const { runbook, environment } = facts.plan.binding;
  if (environment.runbooks !== 'committed') return [];
  const files = [['runbook', runbook.name, unversioned(runbook.git)], ['environment', environment.name, unversioned(environment.git)]] as const;
  return files.flatMap(([what, name, why]) => (why === null ? [] : [{ code: 'unversioned-runbook' as const, detail: `${what} ${name}: ${why}` }]));
}
