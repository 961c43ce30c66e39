import type { Ec2, Ec2Change } from '../../../clients/ec2/port.js';
import type { PlanContext, PreflightCheck } from '../../../engine/define-step.js';
import { StepError } from '../../../engine/errors.js';

/** The connection, once its name is known; preflight defers until then. */
export function ec2Of(aws: unknown, ctx: Pick<PlanContext, 'ports'>): Ec2 {
  if (typeof aws !== 'string') throw new StepError('no-such-connection', 'the AWS connection is not known before the run');
  return ctx.ports.ec2.of(aws);
}

/** What a dry run says of the right that `change` needs. Without a change there is nothing yet to ask about. */
export async function checkRight(ec2: Ec2, action: Ec2Change['action'], change: Ec2Change | undefined): Promise<PreflightCheck> {
  const id = `right ec2:${action}`;
  if (change === undefined) return { id, result: 'deferred', detail: 'a dry run needs something that it would be done to' };
  const { result, detail } = await ec2.dryRun(change);
  return { id, result: result === 'permitted' ? 'passed' : result === 'denied' ? 'failed' : 'could-not-run', detail };
}

/**
 * Something inside the boundary to ask about: what a policy allows depends on tags, and the volume itself may be made by the run.
 * A dry run alters nothing.
 */
export async function anyVolume(ec2: Ec2): Promise<string | undefined> {
  const { key, value } = ec2.details.tag;
  return (await ec2.volumes({ tags: { [key]: value } }))[0]?.id;
}
