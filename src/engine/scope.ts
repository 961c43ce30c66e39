import type { Effect, Phase } from './define-step.js';

/**
 * What an adapter is about to reach, as resolved as it can be: after DNS, symlinks and connection strings.
 * `host` is what was asked for; `address` is the IP address that the connection will really go to.
 */
export type Target =
  | { readonly kind: 'postgres'; readonly connection: string; readonly role: 'production' | 'source' | 'target' | 'endpoint'; readonly host: string; readonly port: number; readonly address?: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly address?: string }
  | { readonly kind: 'http'; readonly url: string; readonly address?: string }
  | { readonly kind: 'command'; readonly file: string; readonly args: readonly string[]; readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }
  | { readonly kind: 'path'; readonly path: string }
  /** `resource`: plural with group (`deployments.apps`, `pods`); `namespace` absent: cluster-scoped; `name` absent: all of them. */
  | {
      readonly kind: 'kubernetes';
      readonly connection: string;
      readonly role: 'production' | 'source' | 'target';
      readonly context: string;
      readonly server: string;
      readonly uid: string;
      readonly resource: string;
      readonly namespace?: string;
      readonly name?: string;
    }
  | AwsTarget
  | { readonly kind: 'endpoint'; readonly endpoint: string; readonly to?: string }
  /** What a connection of kind `infrastructure` manages, state and resources; the tool that reaches it is a `command` besides. */
  | { readonly kind: 'infrastructure'; readonly connection: string }
  /** Without `key`: the bucket as a whole. */
  | { readonly kind: 'bucket'; readonly connection: string; readonly bucket: string; readonly key?: string };

/** A call of AWS: account as STS says, and what it would alter with the tags that it bears (or is made with), as AWS says. */
export interface AwsTarget {
  readonly kind: 'aws';
  readonly connection: string;
  readonly account: string;
  readonly region: string;
  /** `ec2:CreateVolume` */
  readonly action: string;
  readonly objects: readonly { readonly id: string; readonly tags: Readonly<Record<string, string>> }[];
}

/**
 * Who calls: one per step attempt, probe, provisioner or cleanup. Adapters are bound to it and call `access`
 * immediately before each call that they send. It is the only way to the guard and to the fault stamp.
 */
export interface Scope {
  /** Step id, `probe:<id>`, `provision:<connection>`, `cleanup:<id>` or `plan`. */
  readonly who: string;
  readonly phase: Phase | 'plan' | 'provision' | 'probe' | 'cleanup';
  readonly runId: string;
  readonly signal: AbortSignal;
  /**
   * Throws GuardError when the target is outside the boundary, or when it would be altered and its role is
   * `production`. For the first call that alters something in an injected drill's inject phase it journals
   * `fault.sent`, flushed, before it resolves.
   */
  access(target: Target, effect: Effect): Promise<void>;
  /**
   * Has credentials that a server refuses renewed by whoever sits at the drill, while the caller's own time stands still.
   * False when nobody did. Absent where nobody can be asked, and for probes: what they cannot reach is down.
   */
  renew?(what: string): Promise<boolean>;
}
