import type { Facts } from './facts.js';
import type { Finding } from './reasons.js';

/** isolation-violated: a forbidden address was reached; isolation-unproven: nobody can tell that it was not. */
export function isolationFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  const { forbidden } = facts.plan.binding.environment;
  const records = facts.evidence('isolation');
  for (const { data, step } of records) {
    const place = step === undefined ? {} : { step };
    for (const { target, expected, found: seen, detail } of data.checks) {
      if (expected === 'unreachable' && seen === 'reachable') found.push({ code: 'isolation-violated', ...place, detail: `${target} was reached (${data.when}): ${detail}` });
      else if (expected !== seen) found.push({ code: 'isolation-unproven', ...place, detail: `${target} should be ${expected} and is ${seen} (${data.when}): ${detail}` });
    }
  }
  if (forbidden.length === 0) return found;
  for (const when of ['before', 'after'] as const) {
    const checks = records.filter(({ data }) => data.when === when).flatMap(({ data }) => data.checks);
    for (const target of new Set(forbidden)) {
      if (!checks.some((check) => check.target === target && check.expected === 'unreachable')) found.push({ code: 'isolation-unproven', detail: `${target} is forbidden and was not tried (${when})` });
    }
    if (!checks.some(({ expected }) => expected === 'reachable')) found.push({ code: 'isolation-unproven', detail: `no allowed address was tried beside the forbidden ones (${when})` });
  }
  return found;
}
