import type { STSClient } from '@aws-sdk/client-sts';
import { sha256 } from '../../engine/canonical.js';
import { GuardError, messageOf, StepError } from '../../engine/errors.js';
import type { Effect } from '../../engine/define-step.js';
import type { AwsTarget, Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { clientConfig, endpointsNow, type ClientConfig } from './config.js';
import type { AwsDetails } from './details.js';
import { awsError, isExpired } from './errors.js';
import type { AwsIdentity } from './port.js';

const identityAction = 'sts:GetCallerIdentity';

/** Credentials that requests are signed with. */
export type Keys = Awaited<ReturnType<STSClient['config']['credentials']>>;

/** Credentials, and who STS says that they are. */
interface Login extends AwsIdentity {
  readonly keys: Keys;
}

/** What the calls of one process share. */
export interface AwsShared {
  /** By connection, service and credentials. */
  readonly clients: Map<string, unknown>;
  /** By connection: the usual chain, which gives what it gave before until that ends. */
  readonly chains: Map<string, () => Promise<Keys>>;
  /** By connection: asked before anything else is, and again for other credentials. */
  readonly logins: Map<string, { readonly of: string; readonly login: Promise<Login> }>;
}

export function awsShared(): AwsShared {
  return { clients: new Map(), chains: new Map(), logins: new Map() };
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
    const { account, arn } = await this.#verified(name);
    const { region } = this.details(name);
    await this.scope.access({ kind: 'aws', connection: name, account, region, action: call.action, objects: call.objects ?? [] }, call.effect);
    return this.#send(name, call, async () => (await this.#verified(name)).keys, arn);
  }

  /** Asks STS now. Throws GuardError when the credentials are not those of the connection's account. */
  async identity(name: string): Promise<AwsIdentity> {
    const { account, arn } = await this.#login(name);
    return { account, arn };
  }

  /** Whom STS has named for the credentials of now: a profile's program may come to give those of another account. */
  async #verified(name: string): Promise<Login> {
    const keys = await this.#keys(name).catch(() => undefined);
    const known = this.shared.logins.get(name);
    if (known !== undefined && keys !== undefined && known.of === digestOf(keys)) return known.login;
    const login = this.#login(name);
    if (keys !== undefined) {
      this.shared.logins.set(name, { of: digestOf(keys), login });
      login.catch(() => this.shared.logins.delete(name));
    }
    return login;
  }

  async #login(name: string): Promise<Login> {
    const details = this.details(name);
    refuseMoved(name, details);
    await this.scope.access({ kind: 'aws', connection: name, account: details.account, region: details.region, action: identityAction, objects: [] }, 'read');
    const { found, keys } = await this.#send(name, {
      action: identityAction,
      effect: 'read',
      make: async (config) => new (await import('@aws-sdk/client-sts')).STSClient(config),
      send: async (client, abortSignal) => ({ found: await client.send(new (await import('@aws-sdk/client-sts')).GetCallerIdentityCommand({}), { abortSignal }), keys: await client.config.credentials() }),
    }, () => this.#keys(name));
    if (found.Account !== details.account) {
      throw new GuardError(`connection "${name}" is account ${details.account}, the credentials are of account ${found.Account ?? '?'} (${found.Arn ?? 'no ARN'})`, [
        'Which credentials are used is decided by AWS_PROFILE and the rest of the usual chain; `with: { profile: ... }` of the connection fixes it.',
      ]);
    }
    return { account: details.account, arn: found.Arn ?? '', keys };
  }

  async #send<C, R>(name: string, { action, make, send }: AwsCall<C, R>, keys: () => Promise<Keys>, who?: string): Promise<R> {
    for (;;) {
      const { signal } = this.scope;
      signal.throwIfAborted();
      try {
        return await send(await this.#client(name, action, make, await keys()), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof GuardError) throw error;
        const said = awsError(action, error, who);
        if (!isExpired(said) || this.scope.renew === undefined || !(await this.scope.renew(`AWS, connection ${name}: ${messageOf(said)}`))) throw said;
        this.#forget(name);
      }
    }
  }

  async #client<C>(name: string, action: string, make: AwsCall<C, unknown>['make'], credentials: Keys): Promise<C> {
    const key = `${name}/${action.split(':')[0]}/${digestOf(credentials)}`;
    const known = this.shared.clients.get(key);
    if (known !== undefined) return known as C;
    // Only those that were looked at: by itself a client would ask the chain again.
    const client = await make({ ...clientConfig(this.details(name), this.scope.runId), credentials });
    this.shared.clients.set(key, client);
    return client;
  }

  async #keys(name: string): Promise<Keys> {
    const known = this.shared.chains.get(name);
    if (known !== undefined) return known();
    const { STSClient } = await import('@aws-sdk/client-sts');
    const chain = new STSClient(clientConfig(this.details(name), this.scope.runId)).config.credentials;
    this.shared.chains.set(name, chain);
    return chain();
  }

  #forget(name: string): void {
    for (const key of this.shared.clients.keys()) if (key.startsWith(`${name}/`)) this.shared.clients.delete(key);
    this.shared.chains.delete(name);
    this.shared.logins.delete(name);
  }
}

function digestOf({ accessKeyId, secretAccessKey, sessionToken = '' }: Keys): string {
  return sha256(JSON.stringify([accessKeyId, secretAccessKey, sessionToken]));
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
