import type { AwsRight } from '../../../engine/permission.js';
import { inWords } from '../../../engine/plannable.js';

type What = Pick<AwsRight, 'resource' | 'tagged'>;

const on: Readonly<Record<string, readonly What[]>> = {
  CreateVolume: [{ resource: 'volume/*', tagged: 'request' }, { resource: 'snapshot/*' }],
  DeleteVolume: [{ resource: 'volume/*', tagged: 'resource' }],
  AttachVolume: [{ resource: 'volume/*', tagged: 'resource' }, { resource: 'instance/*', tagged: 'resource' }],
  DetachVolume: [{ resource: 'volume/*', tagged: 'resource' }, { resource: 'instance/*', tagged: 'resource' }],
  CreateTags: [{ resource: 'volume/*', tagged: 'resource' }, { resource: 'snapshot/*', tagged: 'resource' }],
  DeleteTags: [{ resource: 'volume/*', tagged: 'resource' }, { resource: 'snapshot/*', tagged: 'resource' }],
};

/** `TagOnCreate`: tags that a new volume is made with. Who the credentials are (sts:GetCallerIdentity) AWS tells everybody, whatever a policy says. */
export function ec2Rights(aws: unknown, ...actions: readonly string[]): AwsRight[] {
  const connection = inWords(aws);
  const right = (action: string, what: What = {}): AwsRight => ({ system: 'aws', connection, action, ...what });
  return actions.flatMap((action) => {
    if (action === 'TagOnCreate') return [right('ec2:CreateTags', { resource: 'volume/*', tagged: 'request' })];
    const places = on[action];
    return places === undefined ? [right(`ec2:${action}`)] : places.map((what) => right(`ec2:${action}`, what));
  });
}
