import type { AwsRight } from '../../engine/permission.js';
import { awsRightsOn, type Declared } from '../../engine/plan/rights.js';
import type { PlanBinding } from '../../engine/plan-document.js';

export interface IamPolicy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly IamStatement[];
}

export interface IamStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: { readonly StringEquals: Readonly<Record<string, string>> };
}

/** Of a connection to an account, or to a bucket. */
type Place = { readonly bucket: string; readonly prefix: string; readonly region: string } | Account;
type Account = { readonly account: string; readonly region: string; readonly tag: { readonly key: string; readonly value: string } };

/** The policy that lets the steps do what they do in the account of an AWS connection, or in the bucket of one of kind bucket, and no more; undefined: nothing is asked of it. */
export function iamPolicy(binding: PlanBinding, connection: string, provisioned: readonly Declared[]): IamPolicy | undefined {
  const rights = awsRightsOn(binding, connection, provisioned).map(({ right }) => right);
  const place = placeOf(binding.environment.connections[connection]?.with);
  if (rights.length === 0 || place === undefined) return undefined;
  const grouped = new Map<string, { readonly resource: string; readonly service: string; readonly condition: Readonly<Record<string, string>>; readonly actions: Set<string> }>();
  for (const { action, resource = '*', tagged } of rights) {
    const condition = 'bucket' in place ? {} : conditionOf(action, tagged, place);
    const service = resource === '*' ? '' : (action.split(':')[0] ?? '');
    const key = JSON.stringify([service, resource, condition]);
    const group = grouped.get(key) ?? { resource, service, condition, actions: new Set() };
    grouped.set(key, group);
    group.actions.add(action);
  }
  const statements = [...grouped.values()].toSorted((a, b) => (a.resource < b.resource ? -1 : a.resource > b.resource ? 1 : 0));
  return {
    Version: '2012-10-17',
    Statement: statements.map(({ resource, service, condition, actions }, index) => ({
      Sid: `Muster${index + 1}`,
      Effect: 'Allow',
      Action: [...actions].toSorted(),
      Resource: [resource === '*' ? '*' : arnOf(service, resource, place)],
      ...(Object.keys(condition).length === 0 ? {} : { Condition: { StringEquals: condition } }),
    })),
  };
}

function conditionOf(action: string, tagged: AwsRight['tagged'], { region, tag }: Account): Record<string, string> {
  const here = { 'aws:RequestedRegion': region };
  if (tagged === 'resource') return { ...here, [`aws:ResourceTag/${tag.key}`]: tag.value };
  if (tagged === 'request') return { ...here, [`aws:RequestTag/${tag.key}`]: tag.value, ...(action === 'ec2:CreateTags' ? { 'ec2:CreateAction': 'CreateVolume' } : {}) };
  return here;
}

/** A snapshot's ARN names no account. */
function arnOf(service: string, resource: string, place: Place): string {
  const { region } = place;
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
  if ('account' in place) return `arn:${partition}:${service}:${region}:${resource.startsWith('snapshot/') ? '' : place.account}:${resource}`;
  const below = place.prefix === '' ? '' : `${place.prefix}/`;
  return `arn:${partition}:s3:::${place.bucket}${resource === 'bucket' ? '' : `/${below}${resource.replace(/^object\//, '')}`}`;
}

function placeOf(given: Readonly<Record<string, unknown>> | undefined): Place | undefined {
  const { account, region, tag, bucket, prefix = '' } = given ?? {};
  if (typeof bucket === 'string' && typeof prefix === 'string') return { bucket, prefix, region: typeof region === 'string' ? region : '' };
  if (typeof account !== 'string' || typeof region !== 'string' || typeof tag !== 'object' || tag === null) return undefined;
  const { key, value } = tag as { readonly key?: unknown; readonly value?: unknown };
  return typeof key === 'string' && typeof value === 'string' ? { account, region, tag: { key, value } } : undefined;
}
