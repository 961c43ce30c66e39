import { flattenSteps } from '../plan-document.js';
import { contentProved } from './content.js';
import type { Facts } from './facts.js';
import type { Fault } from './fault.js';
import { isRebuild } from './infrastructure.js';
import { lsnShort } from './lsn.js';
import { productionPowers } from './production.js';
import { names } from './reasons.js';
import { archivedBefore, replayedTo } from './restore-point.js';
import type { Recovery } from './rto.js';
import { unversioned } from './versioned.js';

/** What even a passed drill does not show, in fixed order. */
export function notProved(facts: Facts, fault: Fault | null, recovery: Recovery): string[] {
  const { binding } = facts.plan;
  const said: (string | null)[] = [];
  const has = (samples: string) => binding.probes.some((probe) => probe.samples === samples);
  said.push('One run under one set of conditions: a later run may take longer or lose more.');
  if (!fault) said.push('Recovery from a fault: no single fault was sent.');
  if (binding.fault === 'declared') said.push('Production cutover: the copy was restored beside the living system.');
  if (!has('availability')) said.push('Recovery as clients see it: no availability probe ran.');
  else if (!recovery.probes.some(({ controlled }) => controlled)) said.push('That an outage was the service\'s and not the runner\'s: no control endpoint was sampled.');
  if (!has('ledger')) said.push('Loss counted in rows: no ledger was kept.');
  if (!contentProved(facts) && !isRebuild(facts)) said.push('Content not proved: nothing was compared with what the restored data should be.');
  const checks = facts.evidence('reconciliation').flatMap(({ data }) => data.consistency.filter(({ ok }) => ok === null).map(({ check, object, detail }) => `${check} of ${object} on ${data.connection}: ${detail}`));
  for (const check of checks) said.push(`Consistency, ${check}.`);
  if (facts.evidence('infrastructure-code').length > 0) said.push('Data: what is rebuilt from code holds none of it; a loss with basis code counts infrastructure only.');
  for (const { data } of facts.evidence('wal-end')) if (data.replayEndLsn === null && data.lastCommitAt === null && data.logLine !== null) said.push(`The last transaction that ${data.connection} replayed: its log cannot be read from here, and its timeline history says only where recovery stopped.`);
  if (binding.environment.sandbox) said.push('Production data volume, load and infrastructure: the environment is a sandbox.');
  if (facts.evidence('backup').some(({ data }) => data.origin === 'drill')) said.push('Scheduled backups: the drill made a backup itself.');
  if (binding.environment.forbidden.length === 0) said.push('Isolation from production: the environment names no forbidden address.');
  said.push(...new Set(facts.evidence('isolation').map(({ data }) => `Isolation seen from anywhere but ${data.from}.`)));
  said.push(productionPowers(facts));
  const children = flattenSteps([...binding.steps, ...binding.cleanup]).filter(({ step }) => step.permissions.some((permission) => permission['system'] === 'command')).map(({ step }) => step.id);
  if (children.length > 0) said.push(`What child processes connect to: ${names(children)} start(s) programs that are not network-isolated.`);
  const { watch } = binding.environment;
  if (typeof watch !== 'object' || watch === null || !('required' in watch) || !Array.isArray(watch.required) || watch.required.length === 0) said.push('That nobody changed anything by hand: no change watcher is required.');
  said.push(...new Set(facts.of('watch.unseen').map(({ event: { data } }) => `What the watcher ${data.watcher} does not see: ${data.detail}.`)));
  if (binding.environment.runbooks === 'any') {
    const why = unversioned(binding.runbook.git);
    if (why !== null) said.push(`The runbook's history: ${why}.`);
  }
  const open = [...facts.preflight].filter(([, result]) => result === 'could-not-run' || result === 'deferred').map(([name]) => name);
  if (open.length > 0) said.push(`Preflight checks that could not run: ${names(open)}.`);
  const broken = facts.of('probe.stopped').filter(({ event }) => event.data.error !== undefined).map(({ event }) => event.data.probe);
  if (broken.length > 0) said.push(`Probes that ended with an error: ${names(broken)}.`);
  const kept = facts.of('run.kept').flatMap(({ event }) => event.data.things.map(({ system }) => system));
  if (kept.length > 0) said.push(`That everything can be removed: --keep left ${names(kept)} in place.`);
  if (facts.of('run.resumed').length > 0) said.push('An uninterrupted run: another process took it over.');
  said.push(unreplayedTail(facts, fault));
  return said.filter((line) => line !== null);
}

/** With target `latest`, a record that continues in a segment that was never archived. */
function unreplayedTail(facts: Facts, fault: Fault | null): string | null {
  if (!fault || !facts.evidence('restore-target').some(({ data }) => data.type === 'latest')) return null;
  const archived = archivedBefore(facts, fault);
  for (const { data } of facts.evidence('wal-end')) {
    const reached = replayedTo(data);
    if (archived !== null && reached !== null && reached < archived) return `The last ${archived - reached} bytes of the WAL archived before the fault (${lsnShort(reached)} to ${lsnShort(archived)}): a record may continue in a segment that was never archived.`;
  }
  return null;
}
