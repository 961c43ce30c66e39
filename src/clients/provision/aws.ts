import { Type, type Static } from 'typebox';
import { defineProvisioner, type ConnectionContext, type PreflightCheck } from '../../engine/define-step.js';
import { GuardError, messageOf, StepError } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { endpointsNow } from '../aws/config.js';
import type { AwsDetails } from '../aws/details.js';

const input = Type.Object(
  {
    account: Type.String({ pattern: '^\\d{12}$', description: 'Twelve digits, in quotes: the account that the credentials must be of' }),
    region: Type.String({ pattern: '^[a-z]{2}(-[a-z]+)+-\\d$', description: 'Region of all that the connection stands for' }),
    profile: Type.Optional(Type.String({ minLength: 1, description: 'Profile of the AWS configuration; default: AWS_PROFILE and the rest of the usual chain' })),
    tag: Type.Object({ key: Type.String({ minLength: 1, maxLength: 128 }), value: Type.String({ maxLength: 256 }) }, { ...strict, description: 'What a drill may alter bears it, and what a drill makes gets it' }),
  },
  strict,
);

export const provisioner = defineProvisioner({
  type: 'aws',
  kinds: ['aws'],
  summary: 'An AWS account in one region. Credentials come from the usual chain; STS must say that they are of this account.',
  input,
  protects: ({ account, region, tag }) => [`aws:${account}:${region}:${tag.key}=${tag.value}`],
  plan(given) {
    const { account, region, tag } = given;
    const { profile, awsProfile, endpoints } = detailsOf(given);
    const how = profile === undefined ? (awsProfile === null ? 'no profile set' : `AWS_PROFILE=${awsProfile}`) : `profile ${profile}`;
    const where = Object.entries(endpoints).map(([name, address]) => `, ${name}=${address}`);
    // In the plan's binding: credentials that lead elsewhere when it is run are another plan.
    return { does: `Uses AWS account ${account} in ${region} (${how}${where.join('')}); alters only what bears ${tag.key}=${tag.value}`, calls: ['sts:GetCallerIdentity'] };
  },
  existing: (given) => Promise.resolve({ ...detailsOf(given) }),
  async preflight(given, ctx) {
    try {
      const { arn } = await ctx.ports.aws.identity(ctx.connection);
      return [{ id: 'account', result: 'passed', detail: `${given.account} as ${arn}` }, ...(await trailCheck(ctx))];
    } catch (error) {
      if (!(error instanceof StepError || error instanceof GuardError)) throw error;
      return [{ id: 'account', result: error instanceof StepError && error.retryable ? 'could-not-run' : 'failed', detail: messageOf(error) }];
    }
  },
  // Who the credentials are is asked by the adapter, in each process, before its first call.
  provision: (given) => Promise.resolve({ ...detailsOf(given) }),
});

function detailsOf({ account, region, profile, tag }: Static<typeof input>): AwsDetails {
  return { account, region, ...(profile === undefined ? {} : { profile }), awsProfile: profile === undefined ? (process.env['AWS_PROFILE'] ?? null) : null, endpoints: endpointsNow(), tag };
}

/** Rights that steps need are asked for by their dry runs; this one only a watcher has. */
async function trailCheck({ awsRights, ports, connection, clock }: ConnectionContext): Promise<PreflightCheck[]> {
  const needed = awsRights.find(({ right }) => right.action === 'cloudtrail:LookupEvents');
  if (needed === undefined) return [];
  const id = 'right cloudtrail:LookupEvents';
  try {
    const events = await ports.aws.trail(connection, new Date(Date.parse(clock.now().at) - 60_000));
    return [{ id, result: 'passed', detail: events === undefined ? 'the endpoint has no CloudTrail' : 'granted' }];
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return [{ id, result: error.code === 'aws-denied' ? 'failed' : 'could-not-run', detail: `${messageOf(error)}; needed by ${needed.by.join(', ')}` }];
  }
}
