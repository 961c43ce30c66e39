import { lstat } from 'node:fs/promises';
import { UsageError } from '../engine/errors.js';
import { verifyBundle } from '../evidence/verify.js';
import { visible } from '../report/visible.js';
import { bundlePath } from './bundle-path.js';
import type { CommandIo } from './io.js';
import { deliver, type Sink } from './sinks.js';

export interface SendArgs {
  readonly bundle: string;
  readonly otel: boolean;
  /** Environment variables that hold addresses. */
  readonly webhook: readonly string[];
  readonly format: 'slack' | 'json';
}

/** `muster send BUNDLE`: tells others of a drill, once more or for the first time. 1 when something was not delivered, or the bundle is not sound. Throws UsageError. */
export async function send(args: SendArgs, io: CommandIo): Promise<number> {
  const sinks: Sink[] = [...(args.otel ? [{ type: 'otel' } as const] : []), ...args.webhook.map((urlFrom) => ({ type: 'webhook', urlFrom, format: args.format }) as const)];
  if (sinks.length === 0) throw new UsageError('say where it goes: --otel, --webhook VARIABLE, or both');
  const wrong = args.webhook.find((name) => !/^[A-Z_][A-Z0-9_]*$/.test(name));
  if (wrong !== undefined) throw new UsageError('--webhook takes the name of the environment variable that holds the address, such as SLACK_WEBHOOK_URL: an address given here would show in the list of processes');
  const bundle = await bundlePath(args.bundle, io.cwd);
  if (!(await lstat(bundle)).isDirectory()) throw new UsageError(`${visible(args.bundle)} is no folder: what is sent is written down beside a bundle's folder`);
  const { defects, input } = await verifyBundle(bundle);
  if (input === undefined) {
    io.stderr(`${visible(args.bundle)} is not sound, so nobody is told of it: ${defects.length} ${defects.length === 1 ? 'defect' : 'defects'}. \`muster verify\` names them.\n`);
    return 1;
  }
  return (await deliver({ drill: input.drill, plan: input.plan, events: input.events, bundle }, sinks, io)) ? 0 : 1;
}
