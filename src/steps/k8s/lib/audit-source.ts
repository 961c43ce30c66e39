import { Type, type Static } from 'typebox';
import type { AuditPlace } from '../../../clients/audit/port.js';
import type { Permission } from '../../../engine/permission.js';
import { ConnectionName, strict } from '../../../engine/schema.js';

const File = (description: string) => Type.String({ pattern: '^/', description });

/** Where audit events come from, in an environment: one member, and never a secret. */
export const auditSource = Type.Object(
  {
    file: Type.Optional(File('Absolute path of the log that the API server writes itself (--audit-log-path), one JSON object a line. It may be rotated')),
    webhook: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(Type.String({ minLength: 1, description: 'Address to listen at; default 127.0.0.1. Any other than loopback needs `tls` and `tokenFrom`' })),
          port: Type.Integer({ minimum: 1, maximum: 65535 }),
          tls: Type.Optional(Type.Object({ cert: File('Absolute path of the certificate, PEM'), key: File('Absolute path of its key, PEM') }, strict)),
          tokenFrom: Type.Optional(Type.String({ pattern: '^[A-Z_][A-Z0-9_]*$', description: 'The environment variable that holds the bearer token that the API server sends' })),
        },
        { ...strict, description: 'Muster listens here, while a drill is under way, for what the API server sends (--audit-webhook-config-file)' },
      ),
    ),
    cloudwatch: Type.Optional(
      Type.Object(
        {
          connection: ConnectionName('aws', 'Account and region of the log group'),
          cluster: Type.String({ minLength: 1, description: 'Name of the EKS cluster' }),
          group: Type.Optional(Type.String({ minLength: 1, description: 'Log group; default: /aws/eks/<cluster>/cluster' })),
        },
        { ...strict, description: 'Where EKS copies it (control plane logs of type `audit`), some minutes late: give `settle: 5m`' },
      ),
    ),
  },
  { ...strict, minProperties: 1, maxProperties: 1, description: 'Audit events (audit.k8s.io/v1) of the API server, from one of these. They say who, by which verb, and when to the microsecond' },
);

type AuditInput = Static<typeof auditSource>;

export function placeOf({ file, webhook, cloudwatch }: AuditInput): AuditPlace {
  if (webhook !== undefined) return { webhook };
  return cloudwatch === undefined ? { file: file ?? '' } : { cloudwatch: { connection: cloudwatch.connection, group: groupOf(cloudwatch) } };
}

export function auditRights(audit: AuditInput | undefined): Permission[] {
  if (audit?.file !== undefined) return [{ system: 'path', path: audit.file, access: 'read' }];
  if (audit?.cloudwatch === undefined) return [];
  const { connection } = audit.cloudwatch;
  return [{ system: 'aws', connection, action: 'logs:FilterLogEvents', resource: `log-group:${groupOf(audit.cloudwatch)}:*` }];
}

/** For the plan. */
export function inWords({ file, webhook, cloudwatch }: AuditInput): { readonly does: string; readonly calls: readonly string[] } {
  if (webhook !== undefined) return { does: `listens at ${webhook.host ?? '127.0.0.1'}:${webhook.port} for audit events`, calls: [] };
  if (cloudwatch !== undefined) return { does: `reads the log group ${groupOf(cloudwatch)}`, calls: ['logs:FilterLogEvents'] };
  return { does: `reads ${file ?? ''}`, calls: [] };
}

function groupOf({ group, cluster }: NonNullable<AuditInput['cloudwatch']>): string {
  return group ?? `/aws/eks/${cluster}/cluster`;
}
