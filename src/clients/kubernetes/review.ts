import type { AccessQuestion } from './port.js';
import type { Session } from './session.js';

const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const kind = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' };

/** What of these the caller may not do. Each is one SelfSubjectAccessReview, which the server keeps nowhere. */
export async function denied(session: Session, questions: readonly AccessQuestion[]): Promise<{ readonly question: AccessQuestion; readonly reason: string }[]> {
  const refused = await refusedOf(session, questions);
  if (refused.length === 0) return refused;
  // A server that starts allows nothing yet.
  await session.settled();
  return refusedOf(session, refused.map(({ question }) => question));
}

async function refusedOf(session: Session, questions: readonly AccessQuestion[]): Promise<{ readonly question: AccessQuestion; readonly reason: string }[]> {
  const found: { readonly question: AccessQuestion; readonly reason: string }[] = [];
  for (const question of questions) {
    const { verb, group, resource: whole, namespace, name } = question;
    const [resource, subresource] = whole.split('/');
    const body = { ...kind, spec: { resourceAttributes: { verb, group, resource, subresource, namespace, name } } };
    const { status } = (await session.json({ method: 'POST', path, body, what: `ask whether ${verb} ${whole} is allowed`, effect: 'read', repeatable: true })) as { status: { allowed: boolean; reason?: string; evaluationError?: string } };
    if (!status.allowed) found.push({ question, reason: status.reason ?? status.evaluationError ?? '' });
  }
  return found;
}

/** A write, so that any policy worth its name has it audited, of which nothing is kept. */
export async function leaveMark(session: Session, auditId: string): Promise<void> {
  const body = { ...kind, spec: { nonResourceAttributes: { verb: 'get', path: '/version' } } };
  await session.json({ method: 'POST', path, body, auditId, what: 'leave a mark in the audit log', effect: 'read', repeatable: true });
}
