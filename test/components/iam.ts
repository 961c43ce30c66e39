import { DescribeSnapshotsCommand, DescribeVolumesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import type { AwsAnswer, AwsRequest, Meddle } from './aws-proxy.js';
import { ec2Error } from './aws-proxy.js';
import type { Moto } from './moto.js';

/** As `muster permissions --only <aws>` prints it. */
export interface Policy {
  readonly Statement: readonly Statement[];
}

interface Statement {
  readonly Sid: string;
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition: { readonly StringEquals: Readonly<Record<string, string>> };
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A user of moto's IAM, which must not enforce yet, with a policy of these actions: of policies it compares actions and nothing else. */
export async function iamUser(moto: Moto, name: string, actions: readonly string[]): Promise<Credentials> {
  await ask(moto, 'CreateUser', { UserName: name });
  await allow(moto, name, actions);
  const made = await ask(moto, 'CreateAccessKey', { UserName: name });
  const part = (tag: string) => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(made)?.[1] ?? '';
  return { accessKeyId: part('AccessKeyId'), secretAccessKey: part('SecretAccessKey') };
}

/** The user may do these, and no longer what it could before. */
export async function allow(moto: Moto, name: string, actions: readonly string[]): Promise<void> {
  await ask(moto, 'PutUserPolicy', { UserName: name, PolicyName: 'drill', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] }) });
}

async function ask(moto: Moto, Action: string, more: Readonly<Record<string, string>>): Promise<string> {
  const body = new URLSearchParams({ Action, Version: '2010-05-08', ...more });
  // Not signed: moto asks for that only while it enforces.
  const response = await fetch(moto.endpoint, { method: 'POST', body, headers: { authorization: 'AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none' } });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

export const actionsOf = ({ Statement }: Policy): string[] => [...new Set(Statement.flatMap(({ Action }) => Action))];

/** The policy with one action less in one statement, for each in turn. */
export function withOneActionLess(policy: Policy): { readonly missing: string; readonly rest: Policy }[] {
  return policy.Statement.flatMap((statement) => statement.Action.map((missing) => ({ missing, rest: { Statement: policy.Statement.map((each) => (each === statement ? { ...each, Action: each.Action.filter((action) => action !== missing) } : each)) } })));
}

interface Place {
  readonly account: string;
  readonly region: string;
}

/** What EC2 asks IAM for one call. `resource`: an ARN, `*` for actions that know none. */
interface Question {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
}

/**
 * A stand-in for what moto's IAM leaves out: resources and conditions of the policy, with AND between the resources of one call, as the
 * service authorization reference of EC2 and CloudTrail says for the calls that drills make. Stands before moto (startAwsProxy); `used` gets
 * `<Sid> <action>` of what let a call through. What a call is about is looked up with `admin`.
 */
export function judgedBy(policy: Policy, { account, region }: Place, admin: EC2Client, used: Set<string> = new Set()): Meddle {
  const arn = (kind: string, id: string): string => `arn:aws:ec2:${region}:${kind === 'snapshot' ? '' : account}:${kind}/${id}`;
  const here = { 'aws:RequestedRegion': region };
  const tagged = (prefix: string, tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[]) => Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`${prefix}/${Key}`, Value]));
  // Of what is not there EC2 asks all the same, before it says so.
  const about = async (action: string, kind: 'snapshot' | 'volume', id: string): Promise<Question> => {
    const look = kind === 'snapshot' ? admin.send(new DescribeSnapshotsCommand({ SnapshotIds: [id] })).then(({ Snapshots }) => Snapshots) : admin.send(new DescribeVolumesCommand({ VolumeIds: [id] })).then(({ Volumes }) => Volumes);
    const [found] = (await look.catch(() => [])) ?? [];
    return { action, resource: arn(kind, id), context: { ...here, ...tagged('aws:ResourceTag', found?.Tags ?? []) } };
  };
  const questions = async ({ action, form, target }: AwsRequest): Promise<Question[]> => {
    if (target.endsWith('.LookupEvents')) return [{ action: 'cloudtrail:LookupEvents', resource: '*', context: here }];
    if (action === 'GetCallerIdentity') return [];
    if (action.startsWith('Describe')) return [{ action: `ec2:${action}`, resource: '*', context: here }];
    if (action === 'CreateVolume') {
      const made = { resource: arn('volume', '*'), context: { ...here, ...tagged('aws:RequestTag', tagsIn(form)) } };
      const from = form.get('SnapshotId');
      return [
        { action: 'ec2:CreateVolume', ...made },
        ...(from === null ? [] : [await about('ec2:CreateVolume', 'snapshot', from)]),
        ...(tagsIn(form).length === 0 ? [] : [{ action: 'ec2:CreateTags', resource: made.resource, context: { ...made.context, 'ec2:CreateAction': 'CreateVolume' } }]),
      ];
    }
    if (action === 'DeleteVolume') return [await about('ec2:DeleteVolume', 'volume', form.get('VolumeId') ?? '')];
    throw new Error(`what EC2 asks IAM for ${action || target} is not written down here`);
  };
  return async (request) => {
    for (const question of await questions(request)) {
      const grant = policy.Statement.find((statement) => permits(statement, question));
      if (grant === undefined) return denial(request, question);
      used.add(`${grant.Sid} ${question.action}`);
    }
    return undefined;
  };
}

function permits({ Action, Resource, Condition }: Statement, { action, resource, context }: Question): boolean {
  return Action.includes(action) && Resource.some((pattern) => globbed(pattern, resource)) && Object.entries(Condition.StringEquals).every(([key, value]) => context[key] === value);
}

const globbed = (pattern: string, text: string): boolean => new RegExp(`^${pattern.split('*').map((part) => part.replaceAll(/[.\\^$+?()[\]{}|]/g, '\\$&')).join('.*')}$`).test(text);

function tagsIn(form: URLSearchParams): { readonly Key: string; readonly Value: string }[] {
  const names = [...form.keys()].flatMap((name) => /^(TagSpecification\.\d+\.Tag\.\d+)\.Key$/.exec(name)?.[1] ?? []);
  return names.map((name) => ({ Key: form.get(`${name}.Key`) ?? '', Value: form.get(`${name}.Value`) ?? '' }));
}

function denial({ target }: AwsRequest, { action, resource }: Question): AwsAnswer {
  const why = `is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;
  if (target !== '') return { status: 400, type: 'application/x-amz-json-1.1', body: JSON.stringify({ __type: 'AccessDeniedException', Message: `User ${why}` }) };
  return ec2Error('UnauthorizedOperation', `You are not authorized to perform this operation. User ${why}.`, 403);
}
