import type { AwsTarget } from '../scope.js';
import type { GuardPolicy } from './policy.js';
import { refuse, type Attempt } from './refuse.js';

/**
 * Account and region of every call must be in the boundary. What is altered must bear the boundary's tag, and nothing that
 * a production connection stands for; a call that alters says what it alters.
 */
export function checkAws(target: AwsTarget, attempt: Attempt, policy: Pick<GuardPolicy, 'aws' | 'connections'>): void {
  const { account, region, connection, objects } = target;
  const inside = (policy.aws ?? []).filter((entry) => entry.account === account && entry.regions.includes(region));
  const connections = [...policy.connections()];
  const own = connections.find(({ name }) => name === connection);
  if (inside.length === 0) refuse(attempt, 'that account and region are outside the boundary', [`boundary: { aws: [{ account: "${account}", regions: [${region}], tag: { key: ..., value: ... } }] }`]);
  if (attempt.effect === 'read') return;
  if (own === undefined) refuse(attempt, `the environment has no connection "${connection}"`, []);
  if (own.role === 'production') refuse(attempt, `connection "${connection}" has the role production, which is read-only`, []);
  if (objects.length === 0) refuse(attempt, 'it does not say what it would alter', []);
  for (const { id, tags } of objects) {
    const production = connections.find(({ role, aws }) => role === 'production' && aws !== undefined && aws.account === account && aws.region === region && tags[aws.tag.key] === aws.tag.value);
    if (production !== undefined) refuse(attempt, `${id} bears the tag of connection "${production.name}" of role production, which is read-only`, []);
    if (!inside.some(({ tag }) => tags[tag.key] === tag.value)) refuse(attempt, `${id} does not bear the tag ${inside.map(({ tag }) => `${tag.key}=${tag.value}`).join(' or ')} that the boundary asks for`, []);
  }
}
