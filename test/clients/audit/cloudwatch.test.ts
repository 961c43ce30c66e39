import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { auditPort } from '../../../src/clients/audit/adapter.js';
import type { AuditSource } from '../../../src/clients/audit/port.js';
import { startAws, type Aws } from '../../components/aws.js';
import { startAwsProxy, type AwsAnswer } from '../../components/aws-proxy.js';
import { iamUser, type Credentials } from '../../components/iam.js';
import { requireComponent } from '../../components/index.js';
import { motoComponent } from '../../components/moto.js';
import { region, rig, withEnv } from '../ec2/lib.js';
import { auditEvent, hearing } from './lib.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const suite = await requireComponent(motoComponent);
const group = '/aws/eks/shop/cluster';
const stream = 'kube-apiserver-audit-0123';
const action = 'Logs_20140328.FilterLogEvents';
const json = (status: number, body: unknown): AwsAnswer => ({ status, body: JSON.stringify(body), type: 'application/x-amz-json-1.1' });

suite('the audit log that EKS copies to CloudWatch', () => {
  let aws: Aws;
  let logs: CloudWatchLogsClient;
  const asked: Record<string, unknown>[] = [];

  beforeAll(async () => {
    aws = await startAws();
    logs = new CloudWatchLogsClient({ region, endpoint: aws.moto.endpoint, credentials: { accessKeyId: 'other', secretAccessKey: 'other' } });
  });
  afterAll(async () => {
    logs?.destroy();
    await aws?.stop();
  });
  beforeEach(async () => {
    await aws.reset();
    asked.length = 0;
    await logs.send(new CreateLogGroupCommand({ logGroupName: group }));
    for (const logStreamName of [stream, 'authenticator-0123']) await logs.send(new CreateLogStreamCommand({ logGroupName: group, logStreamName }));
  });

  const put = (logStreamName: string, messages: readonly string[], timestamp = Date.now()) => logs.send(new PutLogEventsCommand({ logGroupName: group, logStreamName, logEvents: messages.map((message) => ({ timestamp, message })) }));
  /** As a run reads it. */
  const reading = (work: (source: AuditSource) => Promise<void>, env: Readonly<Record<string, string>> = aws.env, name = group) =>
    withEnv(env, async () => {
      const { scope, world, shared } = await rig();
      await work(auditPort(scope, world, shared, { add: () => undefined }).source({ cloudwatch: { connection: 'aws', group: name } }, { namespaces: ['shop'], resources: ['nodes'] }));
    });
  /** Answers of `instead` in order, then those of moto. */
  const answering = (...instead: readonly AwsAnswer[]) => {
    const left = [...instead];
    aws.proxy.meddle(({ target, body }) => {
      if (target !== action) return undefined;
      asked.push(JSON.parse(body) as Record<string, unknown>);
      return left.shift();
    });
  };

  it('is read to its last page, without what other parts write there or what happened long before', async () => {
    await put(stream, [JSON.stringify(auditEvent('long before'))], Date.now() - 3_600_000);
    await put('authenticator-0123', ['time="2026-11-20" level=info msg="access granted"']);
    for (const part of [0, 1]) await put(stream, Array.from({ length: 6_000 }, (_, index) => JSON.stringify({ auditID: `${part}-${index}`, stage: 'ResponseComplete' })));
    answering();
    await reading(async (source) => {
      const heard = hearing();
      await source.begin(heard);
      await source.read();
      expect(new Set(heard.events.map(({ auditID }) => auditID)).size).toBe(12_000);
      expect(heard.events.some(({ auditID }) => auditID === 'long before')).toBe(false);
      expect(heard.losses).toEqual([]);
    });
    const [first, second] = asked.slice(1);
    expect(first).toMatchObject({ logGroupName: group, logStreamNamePrefix: 'kube-apiserver-audit', startTime: expect.any(Number), filterPattern: '{ ($.userAgent = "muster/20261120T101704Z-test-abcdef") || ($.objectRef.namespace = "shop") || ($.objectRef.resource = "nodes") }' });
    expect(second?.['nextToken']).toEqual(expect.any(String));
  });

  it('is read on after a page without events, and after AWS was busy', async () => {
    const busy = json(400, { __type: 'ThrottlingException', message: 'Rate exceeded' });
    const event = { logStreamName: stream, timestamp: Date.now(), eventId: '1', message: JSON.stringify(auditEvent('a')) };
    answering(json(200, { events: [] }), json(200, { events: [], nextToken: 'more' }), busy, busy, json(200, { events: [event, { ...event, message: 'cut off' }] }));
    await reading(async (source) => {
      const heard = hearing();
      await source.begin(heard);
      await source.read();
      expect(heard.events.map(({ auditID }) => auditID)).toEqual(['a']);
      expect(heard.losses).toEqual([`a message in the log group ${group} is no audit event`]);
    });
    expect(asked.map(({ nextToken }) => nextToken)).toEqual([undefined, undefined, 'more', 'more', 'more']);
  });

  it('that is not there is named, with what EKS needs', async () => {
    await reading(
      async (source) => {
        await expect(source.check()).rejects.toMatchObject({ code: 'audit-unreadable', message: 'the log group /aws/eks/none/cluster is not there', hint: expect.stringContaining('`audit`') });
      },
      aws.env,
      '/aws/eks/none/cluster',
    );
  });

  it('may not be read without the right that is then named', async () => {
    const saying = await startAwsProxy(aws.moto.endpoint);
    // moto decides, and says it in XML, which CloudWatch does not.
    saying.meddle(async ({ target }, answer) => {
      if (target !== action) return undefined;
      const { status, body } = await answer();
      return status === 403 ? json(400, { __type: 'AccessDeniedException', Message: 'User is not authorized to perform: logs:FilterLogEvents' }) : json(status, JSON.parse(body));
    });
    try {
      const [without, may] = [await iamUser(aws.moto, 'without', ['ec2:DescribeVolumes', 'sts:GetCallerIdentity']), await iamUser(aws.moto, 'may', ['logs:FilterLogEvents', 'sts:GetCallerIdentity'])];
      await aws.moto.enforce(true);
      const as = ({ accessKeyId, secretAccessKey }: Credentials) => ({ ...aws.env, AWS_ENDPOINT_URL: saying.endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
      await reading(async (source) => expect(source.check()).resolves.toBe(`the log group ${group} can be read`), as(may));
      await reading(async (source) => expect(source.check()).rejects.toMatchObject({ code: 'aws-denied', message: expect.stringMatching(/^logs:FilterLogEvents is denied to arn:aws:iam::123456789012:user\/without/) }), as(without));
    } finally {
      await aws.moto.enforce(false);
      await saying.stop();
    }
  });
});
