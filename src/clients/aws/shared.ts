import { GuardError, messageOf, StepError } from '../../engine/errors.js';
import type { Effect } from '../../engine/define-step.js';
import type { AwsTarget, Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { clientConfig, endpointsNow, type ClientConfig } from './config.js';
import type { AwsDetails } from './details.js';
import { awsError, isExpired } from './errors.js';
import type { AwsIdentity } from './port.js';

const identityAction = 'sts:GetCallerIdentity';

/** The clients of one process, by connection and service. */
export interface AwsShared {
  readonly clients: Map<string, unknown>;
  /** Asked once in each process, before anything else is. */
  readonly identities: Map<string, Promise<AwsIdentity>>;
}

export function awsShared(): AwsShared {
  return { clients: new Map(), identities: new Map() };
}

/** One request as `AwsCalls` sends it. */
export interface AwsCall<C, R> {
  /** `ec2:CreateVolume` */
  readonly action: string;
  readonly effect: Effect;
  readonly objects?: AwsTarget['objects'];
  /** Makes the service's client; called once for each connection. */
  readonly make: (config: ClientConfig) => Promise<C>;
  readonly send: (client: C, signal: AbortSignal) => Promise<R>;
}

/** What all adapters of AWS do for each call: identity, guard, errors, renewed credentials. */
export class AwsCalls {
  constructor(private readonly scope: Scope, private readonly world: World, private readonly shared: AwsShared) {}

  /** Throws StepError `no-such-connection`. */
  details(name: string): AwsDetails {
    const connection = this.world.connections.get(name);
    if (connection?.kind !== 'aws') throw new StepError('no-such-connection', `there is no AWS connection ${JSON.stringify(name)} yet`);
    return connection.details as unknown as AwsDetails;
  }

  /** Checks the identity, asks the guard, sends. */
  async call<C, R>(name: string, call: AwsCall<C, R>): Promise<R> {
    const { account, arn } = await this.verified(name);
    const { region } = this.details(name);
    await this.scope.access({ kind: 'aws', connection: name, account, region, action: call.action, objects: call.objects ?? [] }, call.effect);
    return this.#send(name, call, arn);
  }

  /** Throws GuardError when the credentials are not those of the connection's account. */
  async verified(name: string): Promise<AwsIdentity> {
    let known = this.shared.identities.get(name);
    if (known === undefined) {
      known = this.identity(name);
      this.shared.identities.set(name, known);
      known.catch(() => this.shared.identities.delete(name));
    }
    return known;
  }

  /** Asks STS now. */
  async identity(name: string): Promise<AwsIdentity> {
    const details = this.details(name);
    refuseMoved(name, details);
    await this.scope.access({ kind: 'aws', connection: name, account: details.account, region: details.region, action: identityAction, objects: [] }, 'read');
    const found = await this.#send(name, {
      action: identityAction,
      effect: 'read',
      make: async (config) => new (await import('@aws-sdk/client-sts')).STSClient(config),
      send: async (client, abortSignal) => client.send(new (await import('@aws-sdk/client-sts')).GetCallerIdentityCommand({}), { abortSignal }),
    });
    if (found.Account !== details.account) {
      throw new GuardError(`connection "${name}" is account ${details.account}, the credentials are of account ${found.Account ?? '?'} (${found.Arn ?? 'no ARN'})`, [
        'Which credentials are used is decided by AWS_PROFILE and the rest of the usual chain; `with: { profile: ... }` of the connection fixes it.',
      ]);
    }
    return { account: details.account, arn: found.Arn ?? '' };
  }

  async #send<C, R>(name: string, { action, make, send }: AwsCall<C, R>, who?: string): Promise<R> {
    for (;;) {
      const { signal } = this.scope;
      signal.throwIfAborted();
      try {
        return await send(await this.#client(name, action, make), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof GuardError) throw error;
        const said = awsError(action, error, who);
        if (!isExpired(said) || this.scope.renew === undefined || !(await this.scope.renew(`AWS, connection ${name}: ${messageOf(said)}`))) throw said;
        this.#forget(name);
        // They may be somebody else's now.
        if (action !== identityAction) await this.verified(name);
      }
    }
  }

  async #client<C>(name: string, action: string, make: AwsCall<C, unknown>['make']): Promise<C> {
    const key = `${name}/${action.split(':')[0]}`;
    const known = this.shared.clients.get(key);
    if (known !== undefined) return known as C;
    const client = await make(clientConfig(this.details(name), this.scope.runId));
    this.shared.clients.set(key, client);
    return client;
  }

  /** Clients read credentials when they are made. */
  #forget(name: string): void {
    for (const key of this.shared.clients.keys()) if (key.startsWith(`${name}/`)) this.shared.clients.delete(key);
    this.shared.identities.delete(name);
  }
}

/** What decides where calls go must be as it was when the connection was looked up: another process may have taken the run over. */
function refuseMoved(name: string, details: AwsDetails): void {
  const { profile, awsProfile, endpoints } = details;
  const now = process.env['AWS_PROFILE'] ?? null;
  if (profile === undefined && now !== awsProfile) throw new GuardError(`connection "${name}": AWS_PROFILE was ${awsProfile ?? 'not set'} and is now ${now ?? 'not set'}`, ['Set it as it was, or name the profile in the environment document.']);
  const leads = endpointsNow();
  for (const variable of new Set([...Object.keys(endpoints), ...Object.keys(leads)])) {
    if (endpoints[variable] !== leads[variable]) throw new GuardError(`connection "${name}": ${variable} was ${endpoints[variable] ?? 'not set'} and is now ${leads[variable] ?? 'not set'}`, ['It decides where calls go: set it as it was.']);
  }
}
