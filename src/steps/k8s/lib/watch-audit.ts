import type { AuditEvent } from '../../../clients/audit/port.js';
import type { Observation } from '../../../engine/define-watcher.js';
import { planned } from './declare.js';

/** What of a cluster is watched by one connection. */
export interface AuditedPlace {
  readonly system: string;
  readonly scope: Observation['scope'];
  readonly namespaces: readonly string[];
  /** Is that cluster-scoped object in the boundary? `resource`: plural with its group. */
  readonly isNamed: (resource: string, name: string) => boolean;
}

/** What an audit event tells. `explains`: the objects that it removed, or altered. */
export interface Told {
  readonly observation: Observation;
  readonly explains: { readonly object: string; readonly removed: boolean };
}

const writes = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
/** They reach into a pod and leave no trace in its object. */
const sessions = new Set(['exec', 'attach', 'portforward', 'proxy']);

/** Records of what happened elsewhere, and reviews that change nothing. */
export const ignored = new Set(['events', 'tokenreviews', 'subjectaccessreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'localsubjectaccessreviews']);

/** What was done to what is watched: neither what was refused or only tried, nor what was read. */
export function toldBy(event: AuditEvent, place: AuditedPlace, runId: string): Told | undefined {
  const { stage, verb = '', requestURI = '', objectRef, responseStatus, userAgent = '', requestReceivedTimestamp } = event;
  const session = sessions.has(objectRef?.subresource ?? '');
  // A session's answer begins when it does; anything else is told once, when it is done.
  const isMeant = session ? stage === 'ResponseStarted' || stage === 'ResponseComplete' : stage === 'ResponseComplete' && writes.has(verb);
  if (!isMeant || objectRef === undefined || !isInside(objectRef, place)) return undefined;
  if ((responseStatus?.code ?? 0) >= 400 || isTrial(event)) return undefined;
  const { subresource } = objectRef;
  const manager = /[?&]fieldManager=([^&]*)/.exec(requestURI)?.[1];
  const object = objectOf(objectRef);
  return {
    observation: {
      system: place.system,
      object,
      actor: `${userOf(event)}${userAgent === '' ? '' : ` (${(userAgent.split(' ')[0] ?? '').slice(0, 80)})`}`,
      change: `${session ? (subresource ?? '') : verb}${!session && subresource !== undefined ? ` ${subresource}` : ''}${manager === undefined ? '' : ` as ${decoded(manager)}`}`,
      ...(requestReceivedTimestamp === undefined ? {} : { at: requestReceivedTimestamp }),
      proof: userAgent.startsWith(`muster/${runId}`) ? 'ours' : 'another',
      scope: place.scope,
    },
    explains: { object, removed: verb === 'delete' || verb === 'deletecollection' || subresource === 'eviction' },
  };
}

/** Deletions may say so in what is sent alone, which not every policy has audited. */
function isTrial({ requestURI = '', verb = '', requestObject, objectRef }: AuditEvent): boolean {
  if (/[?&]dryRun=All/.test(requestURI)) return true;
  const options = verb.startsWith('delete') ? requestObject : objectRef?.subresource === 'eviction' ? memberOf(requestObject, 'deleteOptions') : undefined;
  const dryRun = memberOf(options, 'dryRun');
  return Array.isArray(dryRun) && dryRun.includes('All');
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** The object that stands for all of its kind beside it: what a `deletecollection` names. */
export function collectionOf(object: string): string {
  return object.replace(/(^\S+ (?:[^/]*\/)?).*$/s, '$1*');
}

function isInside({ resource = '', apiGroup = '', namespace = '', name = '' }: NonNullable<AuditEvent['objectRef']>, { namespaces, isNamed }: AuditedPlace): boolean {
  if (ignored.has(resource)) return false;
  return namespace === '' ? isNamed(apiGroup === '' ? resource : `${resource}.${apiGroup}`, name) : namespaces.includes(namespace);
}

function objectOf({ resource = '', apiGroup = '', namespace = '', name = '' }: NonNullable<AuditEvent['objectRef']>): string {
  return planned({ kind: apiGroup === '' ? resource : `${resource}.${apiGroup}`, ...(namespace === '' ? {} : { namespace }), ...(name === '' ? {} : { name }) });
}

function userOf({ user, impersonatedUser }: AuditEvent): string {
  return impersonatedUser?.username === undefined ? (user?.username ?? 'unknown') : `${user?.username ?? '?'} as ${impersonatedUser.username}`;
}

/** A query that is no proper one is shown as it came. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
