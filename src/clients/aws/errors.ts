import { messageOf, StepError } from '../../engine/errors.js';

const throttled: ReadonlySet<string> = new Set(['RequestLimitExceeded', 'Throttling', 'ThrottlingException', 'ThrottledException', 'TooManyRequestsException', 'RequestThrottled', 'RequestThrottledException', 'SlowDown', 'BandwidthLimitExceeded', 'EC2ThrottledException', 'SnapshotCreationPerVolumeRateExceeded', 'VolumeModificationRateExceeded']);
const denied: ReadonlySet<string> = new Set(['UnauthorizedOperation', 'AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation']);
const badCredentials: ReadonlySet<string> = new Set(['CredentialsProviderError', 'InvalidClientTokenId', 'AuthFailure', 'UnrecognizedClientException', 'SignatureDoesNotMatch', 'IncompleteSignature', 'MissingAuthenticationToken', 'InvalidAccessKeyId', 'OptInRequired']);
const expired: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired']);
const network: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'TimeoutError']);

/** The name that AWS gives an error: `InvalidVolume.NotFound`. */
export function awsCodeOf(error: unknown): string {
  const cause = error instanceof StepError ? error.cause : error;
  return cause instanceof Error ? cause.name : '';
}

export function isNotFound(error: unknown): boolean {
  return /\.NotFound$|\.Malformed$|^NoSuch/.test(awsCodeOf(error));
}

/** Credentials that were good once: whoever sits at the drill can renew them. */
export function isExpired(error: unknown): boolean {
  return expired.has(awsCodeOf(error));
}

/** Turns what the SDK throws into a StepError (port.ts). `action`: `ec2:CreateVolume`; `who`: the ARN, once it is known. AWS's own name stays in `cause.name`. */
export function awsError(action: string, error: unknown, who?: string): StepError {
  if (error instanceof StepError) return error;
  const code = awsCodeOf(error);
  const message = plain(messageOf(error));
  const status = statusOf(error);
  const be = (kind: string, text: string, hint: string, retryable = false) => new StepError(kind, text, { cause: error, hint, retryable });
  if (denied.has(code)) return be('aws-denied', `${action} is denied${who === undefined ? '' : ` to ${who}`}${message === '' ? '' : `: ${message}`}`, `Grant ${action}: \`muster permissions\` prints the whole policy.`);
  if (expired.has(code)) return be('aws-credentials', `${action}: the credentials have expired (${code})`, 'Log in again (aws sso login, a new session); they are read again for each attempt.');
  if (badCredentials.has(code)) return be('aws-credentials', `${action}: no usable credentials: ${message}`, 'They come from the usual chain: AWS_PROFILE, AWS_ACCESS_KEY_ID, ~/.aws, or the role of the machine.');
  if (throttled.has(code) || status === 429) return be('aws-throttled', `${action} is throttled: ${message || code}`, 'Others in the account may call as often; give the step `retry` with a delay.', true);
  if (isUnreadable(error)) {
    if (status !== undefined && [502, 503, 504].includes(status)) return be('aws-unreachable', `${action}: HTTP ${status} from something before AWS`, 'It may be busy.', true);
    return be('aws-not-supported', `${action}: the endpoint answered HTTP ${status ?? '?'} with something that is no answer of AWS`, 'Does the endpoint (AWS_ENDPOINT_URL) know this call? A proxy before it may also answer so.');
  }
  if ((status !== undefined && status >= 500) || network.has(code) || network.has(systemCode(error))) return be('aws-unreachable', `${action}: ${message || code}`, 'Is the endpoint right, and is there a route to it?', true);
  return be('aws-error', `${action}: ${code}: ${message}`, hintOf(code));
}

function hintOf(code: string): string {
  if (isNotFoundCode(code)) return 'Is it in this account and region?';
  if (code.endsWith('LimitExceeded')) return 'Raise the quota, or remove what is not needed.';
  return 'This is what AWS says.';
}

const isNotFoundCode = (code: string): boolean => code.endsWith('.NotFound');

/** Without the encoded message, which is long and says nothing. */
function plain(message: string): string {
  return message.replace(/\s*Encoded authorization failure message:.*$/s, '').trim();
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number') return metadata.httpStatusCode;
  const response: unknown = Reflect.get(error, '$response');
  return typeof response === 'object' && response !== null && 'statusCode' in response && typeof response.statusCode === 'number' ? response.statusCode : undefined;
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** An HTML page where XML was expected: the SDK's parser gives up on it. */
function isUnreadable(error: unknown): boolean {
  return error instanceof Error && (/Deserialization error/.test(error.message) || error.name === 'SyntaxError');
}
