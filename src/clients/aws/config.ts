import type { AwsDetails } from './details.js';

/** What every client of AWS is made with. The engine owns retries: the SDK sends once. */
export interface ClientConfig {
  readonly region: string;
  readonly profile?: string;
  /** Default: the usual chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  readonly maxAttempts: 1;
  /** Shows in the user agent, and so in CloudTrail. */
  readonly userAgentAppId: string;
  readonly requestHandler: { readonly connectionTimeout: number; readonly requestTimeout: number };
  readonly logger: typeof silent;
}

/** What goes wrong is said once, by us. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export function clientConfig({ region, profile }: Pick<AwsDetails, 'region' | 'profile'>, runId: string): ClientConfig {
  // The SDK warns of the Node versions of its own future; whoever runs a drill can do nothing about that.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  return { region, ...(profile === undefined ? {} : { profile }), maxAttempts: 1, userAgentAppId: appId(runId), requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 }, logger: silent };
}

/** A user agent's application id holds 50 characters at most: the time and the random end of the run's id, without the drill's name. */
export function appId(runId: string): string {
  return `muster-${runId.slice(0, 16)}-${runId.slice(-6)}`;
}

/** Where the variables of the usual chain lead instead of to Amazon. */
export function endpointsNow(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const names = ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_EC2', 'AWS_ENDPOINT_URL_STS', 'AWS_ENDPOINT_URL_CLOUDTRAIL', 'AWS_ENDPOINT_URL_CLOUDWATCH_LOGS'];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])));
}
