import type { AuditEvent, AuditReader } from '../../../src/clients/audit/port.js';

export interface Heard extends AuditReader {
  readonly events: AuditEvent[];
  readonly losses: string[];
  readonly lines: string[];
}

/** A reader that writes down what it is told. */
export function hearing(): Heard {
  const events: AuditEvent[] = [];
  const losses: string[] = [];
  const lines: string[] = [];
  return { events, losses, lines, event: (event) => void events.push(event), lost: (detail) => void losses.push(detail), log: (line) => void lines.push(line) };
}

const unread = { kind: 'Event', apiVersion: 'audit.k8s.io/v1', level: 'Metadata', sourceIPs: ['10.0.0.9'] };

/** As an API server writes it. */
export const auditEvent = (auditID: string, more: AuditEvent = {}): AuditEvent => ({ ...unread, auditID, stage: 'ResponseComplete', verb: 'patch', requestURI: '/api/v1/namespaces/shop/configmaps/prices', user: { username: 'alice' }, userAgent: 'kubectl/v1.36.1', objectRef: { resource: 'configmaps', namespace: 'shop', name: 'prices' }, responseStatus: { code: 200 }, requestReceivedTimestamp: '2026-11-20T10:00:00.123456Z', stageTimestamp: '2026-11-20T10:00:00.125000Z', ...more });
