import { systemClock } from '../../engine/clock.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { AwsCalls, type AwsShared } from '../aws/shared.js';
import { AuditLogGroup } from './cloudwatch.js';
import { AuditFile } from './file.js';
import type { AuditPort } from './port.js';
import { AuditWebhook } from './webhook.js';

/** Audit sources on behalf of `scope`. `secrets`: where a token is told of. */
export function auditPort(scope: Scope, world: World, aws: AwsShared, secrets: { add(secret: string): void }): AuditPort {
  return {
    source({ file, webhook, cloudwatch }, interest) {
      if (webhook !== undefined) return new AuditWebhook(webhook, { env: process.env, secrets });
      if (cloudwatch !== undefined) return new AuditLogGroup(cloudwatch, interest, { calls: new AwsCalls(scope, world, aws), clock: systemClock(), signal: scope.signal, userAgent: `muster/${scope.runId}` });
      if (file !== undefined) return new AuditFile(file);
      throw new RangeError('an audit source is a file, a webhook or a log group');
    },
  };
}
