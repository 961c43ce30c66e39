import type { FilterLogEventsCommandOutput } from '@aws-sdk/client-cloudwatch-logs';
import type { Clock } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { withAttempts } from '../../engine/retry.js';
import { awsCodeOf } from '../aws/errors.js';
import type { AwsCalls } from '../aws/shared.js';
import { eventOf, unreadable } from './event.js';
import type { AuditInterest, AuditReader, AuditSource, CloudWatchPlace } from './port.js';

const action = 'logs:FilterLogEvents';
const streams = 'kube-apiserver-audit';
/** For a clock of ours that is ahead of the API server's. */
const aheadMs = 120_000;
const mostPattern = 1_024;
const patience = { attempts: 30, timeoutMs: 60_000, totalTimeoutMs: null, delayMs: 1_000, graceMs: 1_000 } as const;

export interface CloudWatchParts {
  readonly calls: AwsCalls;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** As the API server hears it from this run. */
  readonly userAgent: string;
}

/** The log group that EKS copies the audit log of its API servers to, one event a message: some minutes late. */
export class AuditLogGroup implements AuditSource {
  readonly name: string;
  readonly delayMs = null;
  #reader: AuditReader | undefined;
  #since = 0;

  constructor(private readonly place: CloudWatchPlace, private readonly interest: AuditInterest, private readonly parts: CloudWatchParts) {
    this.name = `the log group ${place.group}`;
  }

  async check(): Promise<string> {
    await this.#page({ limit: 1 });
    return `${this.name} can be read`;
  }

  async begin(reader: AuditReader): Promise<void> {
    this.#reader = reader;
    this.#since = Date.parse(this.parts.clock.now().at) - aheadMs;
    await this.check();
  }

  /** All of it, each time: events come in any order, and late ones lie between those that were read. */
  async read(): Promise<void> {
    const pattern = this.#pattern();
    const filterPattern = pattern.length > mostPattern ? {} : { filterPattern: pattern };
    let nextToken: string | undefined;
    do {
      // A page may be empty and not the last.
      const page = await this.#page({ startTime: this.#since, ...filterPattern, ...(nextToken === undefined ? {} : { nextToken }) });
      for (const { message, logStreamName } of page.events ?? []) {
        if (logStreamName?.startsWith(streams) !== true) continue;
        const event = eventOf(message ?? '');
        if (event === undefined) this.#reader?.lost(`a message in ${this.name} is no audit event`);
        else this.#reader?.event(event);
      }
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  /** What happened to what is watched, and what this run did: a busy cluster writes megabytes a minute. */
  #pattern(): string {
    const is = (field: string, value: string) => `($.${field} = ${JSON.stringify(value)})`;
    return `{ ${[is('userAgent', this.parts.userAgent), ...this.interest.namespaces.map((name) => is('objectRef.namespace', name)), ...this.interest.resources.map((name) => is('objectRef.resource', name))].join(' || ')} }`;
  }

  async #page(input: { readonly limit?: number; readonly startTime?: number; readonly filterPattern?: string; readonly nextToken?: string }): Promise<FilterLogEventsCommandOutput> {
    const { calls, clock, signal } = this.parts;
    const outcome = await withAttempts(patience, clock, signal, {
      run: () =>
        calls.call(this.place.connection, {
          action,
          effect: 'read',
          make: async (config) => new (await import('@aws-sdk/client-cloudwatch-logs')).CloudWatchLogsClient(config),
          send: async (client, abortSignal) => client.send(new (await import('@aws-sdk/client-cloudwatch-logs')).FilterLogEventsCommand({ logGroupName: this.place.group, logStreamNamePrefix: streams, ...input }), { abortSignal }),
        }),
      onRetry: () => Promise.resolve(),
    });
    if (outcome.status === 'succeeded') return outcome.value;
    const { error } = outcome;
    if (error instanceof StepError && awsCodeOf(error) === 'ResourceNotFoundException') throw unreadable(this, 'is not there', 'EKS makes it once the cluster\'s control plane logs of type `audit` are switched on; is the connection of that account and region?');
    throw error;
  }
}
