import { open } from 'node:fs/promises';
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import type { Moto } from './moto.js';

/** A stand-in for what EKS does with the audit log of its API servers: copies it into a log group, one event a message. */
export interface EksLogs {
  readonly group: string;
  /** From now on nothing is copied: what CloudWatch is late by. */
  hold(): void;
  /** Copies what was held back, and goes on. */
  release(): void;
  stop(): Promise<void>;
}

const mostBytes = 500_000;

/** Copies what is written to `auditLog` from now on into moto. */
export async function startEksLogs(moto: Pick<Moto, 'endpoint'>, auditLog: string, cluster: string, region = 'eu-central-1'): Promise<EksLogs> {
  const client = new CloudWatchLogsClient({ region, endpoint: moto.endpoint, credentials: { accessKeyId: 'eks', secretAccessKey: 'eks' } });
  const [logGroupName, logStreamName] = [`/aws/eks/${cluster}/cluster`, 'kube-apiserver-audit-0123456789abcdef'];
  await client.send(new CreateLogGroupCommand({ logGroupName }));
  // What else EKS writes there.
  for (const name of [logStreamName, 'kube-apiserver-0123456789abcdef']) await client.send(new CreateLogStreamCommand({ logGroupName, logStreamName: name }));
  await client.send(new PutLogEventsCommand({ logGroupName, logStreamName: 'kube-apiserver-0123456789abcdef', logEvents: [{ timestamp: Date.now(), message: 'I1120 httplog.go:132] "HTTP"' }] }));
  const log = await open(auditLog);
  let at = (await log.stat()).size;
  let rest = '';
  let held = false;
  let ended = false;
  const put = async (messages: readonly string[]): Promise<void> => {
    if (messages.length > 0) await client.send(new PutLogEventsCommand({ logGroupName, logStreamName, logEvents: messages.map((message) => ({ timestamp: Date.now(), message })) }));
  };
  const copy = async (): Promise<void> => {
    const piece = Buffer.alloc(mostBytes);
    for (;;) {
      const { bytesRead } = await log.read(piece, 0, mostBytes, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      const lines = `${rest}${piece.toString('latin1', 0, bytesRead)}`.split('\n');
      rest = lines.pop() ?? '';
      await put(lines.map((line) => Buffer.from(line, 'latin1').toString('utf8')));
    }
  };
  const copying = (async () => {
    while (!ended) {
      if (!held) await copy();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    group: logGroupName,
    hold: () => void (held = true),
    release: () => void (held = false),
    async stop() {
      ended = true;
      await copying;
      await log.close();
      client.destroy();
    },
  };
}
