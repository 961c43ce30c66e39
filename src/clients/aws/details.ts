/** A connection of kind `aws`, as its provisioner records it: where it leads, and never a credential. */
export interface AwsDetails {
  /** The twelve digits that STS must say. */
  readonly account: string;
  readonly region: string;
  /** The profile that the environment names; without one the usual credential chain decides. */
  readonly profile?: string;
  /** AWS_PROFILE when the connection was looked up; null: not set, or the environment names a profile. */
  readonly awsProfile: string | null;
  /** Other addresses than Amazon's own (AWS_ENDPOINT_URL...), by variable. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** What everything bears that a drill may alter there, and what it puts on all that it makes. */
  readonly tag: { readonly key: string; readonly value: string };
}
