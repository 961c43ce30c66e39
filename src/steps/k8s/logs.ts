import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { membersOf } from '../../engine/plannable.js';
import { Duration, strict } from '../../engine/schema.js';
import { rightOf } from './lib/declare.js';
import { podInputs, podInWords, podOf } from './lib/pods.js';

export const step = defineStep({
  type: 'k8s.logs',
  summary: "Keeps the log of a container in the step's own log; secrets that Muster knows are redacted in it.",
  input: Type.Object(
    {
      ...podInputs,
      previous: Type.Optional(Type.Boolean({ description: 'Of the container that ran there before its last restart' })),
      tail: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, default: 1000, description: 'How many lines from its end' })),
      since: Type.Optional(Duration('Only lines that are not older.')),
      contains: Type.Optional(Type.String({ minLength: 1, description: 'Text that must stand in it; else the step fails' })),
    },
    strict,
  ),
  output: Type.Object({ pod: Type.String(), lines: Type.Integer() }, strict),
  effect: 'read',
  changes: () => [],
  permissions(given) {
    const { kubernetes, namespace, pod } = membersOf(given);
    const object = { kubernetes, namespace, kind: 'Pod', name: pod };
    return [rightOf(object, ['get'], { subresource: 'log' }), ...(pod === undefined ? [rightOf(object, ['list'])] : [])];
  },
  evidence: [],
  examples: [{ title: 'Keep what the new pod said', with: { kubernetes: 'cluster', selector: 'app=web', since: '10m' } }],
  plan: (given) => ({ does: `Keeps the log of ${podInWords(membersOf(given))}`, calls: [] }),
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const pod = await podOf(cluster, given);
    const text = await cluster.logs(pod, {
      tailLines: given.tail ?? 1000,
      ...(given.container === undefined ? {} : { container: given.container }),
      ...(given.previous === undefined ? {} : { previous: given.previous }),
      ...(given.since === undefined ? {} : { sinceSeconds: Math.max(1, Math.ceil(parseDuration(given.since) / 1000)) }),
    });
    const lines = text.split('\n').filter((line) => line !== '');
    for (const line of lines) ctx.log(line);
    if (given.contains !== undefined && !text.includes(given.contains)) throw new StepError('text-not-found', `the log of pod ${pod.name} does not hold ${JSON.stringify(given.contains)}`, { retryable: true });
    return { pod: pod.name, lines: lines.length };
  },
});
