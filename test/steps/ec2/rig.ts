import type { CleanupCall, StepContext, StepDefinition } from '../../../src/engine/define-step.js';
import type { Static, TSchema } from 'typebox';
import type { LiveWorld } from '../../../src/engine/world.js';
import { contextFor, toldOf, type Told } from '../lib/context.js';
import { rig, type RigOptions } from '../../clients/ec2/lib.js';

export type AwsContext = StepContext & { readonly told: Told[] };

/** A context of a run whose connection `aws` is in the boundary; `signal` ends its waits. Call it within `withEnv`. */
export async function awsContext(options: RigOptions & { readonly signal?: AbortSignal } = {}): Promise<AwsContext & { readonly world: LiveWorld }> {
  const { scope, world } = await rig(options);
  const { signal } = options;
  return Object.assign(contextFor({ world, scope: signal === undefined ? scope : { ...scope, signal }, ...(signal === undefined ? {} : { signal }) }), { world });
}

/** Does what a step registered, the last first, as the engine does. */
export async function cleanUp(context: AwsContext, ...steps: readonly Pick<StepDefinition, 'type' | 'cleanups'>[]): Promise<void> {
  const registered: { call: CleanupCall; identity: Record<string, unknown> | undefined }[] = [];
  for (const [what, data] of context.told) {
    if (what === 'defer') registered.push({ call: JSON.parse(JSON.stringify(data)) as CleanupCall, identity: undefined });
    const last = registered.at(-1);
    if (what === 'confirm' && last !== undefined) last.identity = { ...last.identity, ...(data as Record<string, unknown>) };
  }
  for (const { call, identity } of registered.reverse()) {
    const owner = steps.find(({ type }) => call.uses.startsWith(`${type}/`));
    const cleanup = owner?.cleanups?.[call.uses.slice(call.uses.lastIndexOf('/') + 1)];
    if (cleanup === undefined) throw new Error(`no cleanup ${call.uses}`);
    await cleanup.run({ ...call.with }, identity, context);
  }
}

export const evidenceOf = (context: AwsContext, kind: string): unknown[] => toldOf(context, `evidence ${kind}`);
export const run = <I extends TSchema, O extends TSchema>(step: StepDefinition<I, O>, input: Static<I>, context: StepContext): Promise<Static<O>> => step.run(input, context);
