import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import { StepError } from '../../engine/errors.js';
import type { AuditEvent, AuditSource } from './port.js';

const Text = Type.Optional(Type.String());
const User = Type.Optional(Type.Object({ username: Text }));
/** What is read must be of its type; whatever else an event holds does not matter. */
const Event = Type.Object({
  auditID: Text,
  stage: Text,
  verb: Text,
  requestURI: Text,
  user: User,
  impersonatedUser: User,
  userAgent: Text,
  objectRef: Type.Optional(Type.Object({ resource: Text, namespace: Text, name: Text, apiGroup: Text, subresource: Text })),
  requestObject: Type.Optional(Type.Unknown()),
  responseStatus: Type.Optional(Type.Object({ code: Type.Optional(Type.Number()) })),
  requestReceivedTimestamp: Text,
  stageTimestamp: Text,
});
const EventList = Type.Object({ kind: Type.Literal('EventList'), apiVersion: Type.Literal('audit.k8s.io/v1'), items: Type.Array(Event) });

/** One event as JSON; undefined: it is none. */
export function eventOf(text: string): AuditEvent | undefined {
  const value = jsonOf(text);
  return Check(Event, value) ? value : undefined;
}

/** A batch of the webhook backend; undefined: it is none. */
export function eventsOf(text: string): readonly AuditEvent[] | undefined {
  const value = jsonOf(text);
  return Check(EventList, value) ? value.items : undefined;
}

export function unreadable({ name }: Pick<AuditSource, 'name'>, why: string, hint?: string): StepError {
  return new StepError('audit-unreadable', `${name} ${why}`, hint === undefined ? {} : { hint });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
