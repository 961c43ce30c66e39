import type { Event } from '@aws-sdk/client-cloudtrail';
import { StepError } from '../../engine/errors.js';
import type { Scope } from '../../engine/scope.js';
import type { World } from '../../engine/world.js';
import { appId } from './config.js';
import type { AwsPort, TrailEvent } from './port.js';
import { AwsCalls, type AwsShared } from './shared.js';

/** AWS as `scope` may use it. The SDK is loaded by the first call. */
export function awsPort(scope: Scope, world: World, shared: AwsShared): AwsPort {
  const calls = new AwsCalls(scope, world, shared);
  return {
    details: (connection) => calls.details(connection),
    identity: (connection) => calls.identity(connection),
    async trail(connection, since) {
      const events: TrailEvent[] = [];
      try {
        let token: string | undefined;
        do {
          const page = await calls.call(connection, {
            action: 'cloudtrail:LookupEvents',
            effect: 'read',
            make: async (config) => new (await import('@aws-sdk/client-cloudtrail')).CloudTrailClient(config),
            send: async (client, abortSignal) =>
              client.send(
                new (await import('@aws-sdk/client-cloudtrail')).LookupEventsCommand({ StartTime: since, LookupAttributes: [{ AttributeKey: 'ReadOnly', AttributeValue: 'false' }], ...(token === undefined ? {} : { NextToken: token }) }),
                { abortSignal },
              ),
          });
          events.push(...(page.Events ?? []).flatMap((event) => eventOf(event, appId(scope.runId))));
          token = page.NextToken;
        } while (token !== undefined);
      } catch (error) {
        if (error instanceof StepError && error.code === 'aws-not-supported') return undefined;
        throw error;
      }
      return events;
    },
  };
}

function eventOf({ EventId, EventTime, EventName, Username, Resources, CloudTrailEvent }: Event, mark: string): TrailEvent[] {
  if (EventId === undefined || EventTime === undefined || EventName === undefined) return [];
  const { userIdentity, userAgent, errorCode } = detailsOf(CloudTrailEvent);
  const arn = typeof userIdentity === 'object' && userIdentity !== null && 'arn' in userIdentity && typeof userIdentity.arn === 'string' ? userIdentity.arn : undefined;
  return [
    {
      id: EventId,
      at: EventTime.toISOString(),
      action: EventName,
      actor: arn ?? Username ?? null,
      resources: (Resources ?? []).flatMap(({ ResourceName }) => (ResourceName === undefined ? [] : [ResourceName])),
      ours: typeof userAgent === 'string' && userAgent.includes(`app/${mark}`),
      failed: typeof errorCode === 'string',
    },
  ];
}

function detailsOf(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
