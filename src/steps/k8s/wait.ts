import { Type, type Static } from 'typebox';
import type { KubernetesObject } from '../../clients/kubernetes/port.js';
import { defineStep, type StepContext } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { nullable, strict } from '../../engine/schema.js';
import { planned, rightOf } from './lib/declare.js';
import { ApiVersion, Kind, Kubernetes, Namespace, ObjectName } from './lib/inputs.js';
import { fulfils, inQuestion, type Goal } from './lib/goal.js';

const input = Type.Object(
  {
    kubernetes: Kubernetes,
    kind: Kind,
    apiVersion: ApiVersion,
    namespace: Namespace,
    name: Type.Optional(ObjectName('One object; or give `selector`')),
    selector: Type.Optional(Type.String({ minLength: 1, description: 'Labels of the objects: app=web,tier in (a,b)' })),
    condition: Type.Optional(Type.String({ minLength: 1, description: 'A condition of its status: Ready, Available, Bound' })),
    jsonPath: Type.Optional(Type.String({ minLength: 1, description: 'A path as kubectl takes it: {.status.phase}' })),
    value: Type.Optional(Type.String({ description: "What must stand there, as text. Default: True for a condition, anything for a path" })),
    deleted: Type.Optional(Type.Boolean({ description: 'Wait until it is gone' })),
    uid: Type.Optional(Type.String({ minLength: 1, description: 'With `deleted`: of the object that must be gone; another one that bears its name may be there' })),
    count: Type.Optional(Type.Integer({ minimum: 1, description: 'With `selector`: how many must be there and fulfil it; default: all that are there, and at least one' })),
    health: Type.Optional(Type.String({ minLength: 1, description: 'Name of the health check that it answers' })),
  },
  strict,
);

type Input = Static<typeof input>;

export const step = defineStep({
  type: 'k8s.wait',
  summary: 'Waits, by watch, until objects have a condition or a value, or are gone. It goes on over a restart of the API server.',
  input,
  output: Type.Object({ waitedMs: Type.Number(), objects: Type.Integer(), resourceVersion: nullable(Type.String({ description: 'Of the change that fulfilled it' })) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: (given) => [rightOf(membersOf(given), ['list', 'watch'])],
  evidence: ['health-checks'],
  examples: [
    { title: 'A deployment is available again', with: { kubernetes: 'cluster', kind: 'Deployment', name: 'web', condition: 'Available', health: 'The application is available' } },
    { title: 'A claim is bound', with: { kubernetes: 'cluster', kind: 'pvc', name: 'data', jsonPath: '{.status.phase}', value: 'Bound' } },
    { title: 'Three pods are ready', with: { kubernetes: 'cluster', kind: 'Pod', selector: 'app=web', condition: 'Ready', count: 3 } },
    { title: 'The volume is detached', with: { kubernetes: 'cluster', kind: 'VolumeAttachment', name: '{{ steps.attachment.name }}', deleted: true } },
  ],
  repeatable: true,
  plan(given) {
    const { name, selector } = membersOf(given);
    const which = name === undefined ? `${planned({ ...membersOf(given), name: '' }).trim()}s with ${inWords(selector)}` : planned(membersOf(given));
    return { does: `Waits until ${which} ${inQuestion(membersOf(given))}`, calls: [] };
  },
  async run(given, ctx) {
    const goal = goalOf(given);
    const began = process.hrtime.bigint();
    try {
      const { objects, resourceVersion } = await watched(given, goal, ctx);
      const waitedMs = Number(process.hrtime.bigint() - began) / 1e6;
      if (given.health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: given.health, ok: true, detail: `${objects} ${given.kind} ${inQuestion(given)}` }] });
      return { waitedMs, objects, resourceVersion };
    } catch (error) {
      if (given.health !== undefined && ctx.signal.aborted) await ctx.evidence('health-checks', { checks: [{ name: given.health, ok: false, detail: messageOf(error) }] });
      throw error;
    }
  },
});

function goalOf({ name, selector, condition, jsonPath, value, deleted, uid, count }: Input): Goal {
  if ([name, selector].filter((way) => way !== undefined).length !== 1) throw new StepError('bad-input', 'give either `name` or `selector`');
  if ([condition, jsonPath, deleted === true ? true : undefined].filter((way) => way !== undefined).length !== 1) throw new StepError('bad-input', 'give one of `condition`, `jsonPath` and `deleted`');
  if (uid !== undefined && deleted !== true) throw new StepError('bad-input', '`uid` goes with `deleted`');
  if (deleted === true) return { kind: 'gone', uid };
  const wanted = count ?? (name === undefined ? undefined : 1);
  if (condition !== undefined) return { kind: 'condition', type: condition, status: value ?? 'True', count: wanted };
  return { kind: 'path', path: jsonPath ?? '', value, count: wanted };
}

async function watched(given: Input, goal: Goal, ctx: StepContext): Promise<{ readonly objects: number; readonly resourceVersion: string | null }> {
  const { kind, apiVersion, namespace, name, selector } = given;
  const collection = { kind, ...(apiVersion === undefined ? {} : { apiVersion }), ...(namespace === undefined ? {} : { namespace }) };
  const selected = { ...(name === undefined ? {} : { name }), ...(selector === undefined ? {} : { labelSelector: selector }) };
  const there = new Map<string, KubernetesObject>();
  for await (const event of ctx.ports.kubernetes.cluster(given.kubernetes).watch(collection, selected, ctx.signal)) {
    switch (event.type) {
      case 'listed':
        there.clear();
        for (const object of event.items) there.set(object.metadata.name, object);
        break;
      case 'added':
      case 'modified':
        there.set(event.object.metadata.name, event.object);
        break;
      case 'deleted':
        there.delete(event.object.metadata.name);
        break;
      case 'gap':
      case 'interrupted':
        ctx.log(event.detail);
        continue;
      case 'resumed':
        continue;
    }
    const enough = fulfils([...there.values()], goal);
    if (enough === undefined) continue;
    const last = event.type === 'listed' ? undefined : event.object.metadata.resourceVersion;
    return { objects: enough, resourceVersion: last ?? null };
  }
  ctx.signal.throwIfAborted();
  throw new StepError('k8s-error', 'the watch ended');
}
