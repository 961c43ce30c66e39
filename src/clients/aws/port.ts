import type { AwsDetails } from './details.js';

/** Who the credentials are, as STS says. */
export interface AwsIdentity {
  readonly account: string;
  readonly arn: string;
}

/** One call that CloudTrail recorded. */
export interface TrailEvent {
  readonly id: string;
  /** UTC, ISO 8601; whole seconds. */
  readonly at: string;
  /** `CreateVolume`. */
  readonly action: string;
  /** The ARN, or the user's name where there is none. */
  readonly actor: string | null;
  readonly resources: readonly string[];
  /** The caller's user agent bears this run's mark. */
  readonly ours: boolean;
  /** The call was refused: it altered nothing. */
  readonly failed: boolean;
}

/**
 * What holds for all of AWS. Every method throws StepError: `no-such-connection`; `aws-credentials` (none, invalid, expired);
 * `aws-denied`, naming the right that is missing; `aws-throttled` and `aws-unreachable`, both retryable; `aws-not-supported` where the answer is
 * none of AWS; `aws-error` otherwise. GuardError: outside the boundary, another account than the connection's, or AWS_PROFILE is not what it was.
 */
export interface AwsPort {
  details(connection: string): AwsDetails;
  /** Asks STS anew. */
  identity(connection: string): Promise<AwsIdentity>;
  /**
   * Altering calls in the region since `since`, from CloudTrail's event history: about five minutes late, and never promised to be whole.
   * An empty answer proves nothing. undefined: there is no such history at this endpoint.
   */
  trail(connection: string, since: Date): Promise<readonly TrailEvent[] | undefined>;
}
