import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { membersOf } from '../../engine/plannable.js';
import { nullable, strict } from '../../engine/schema.js';
import { planned, rightOf } from './lib/declare.js';
import { objectFields } from './lib/inputs.js';
import { textAt } from './lib/jsonpath.js';
import { referenceOf, uidOf, withoutSecrets } from './lib/objects.js';

export const step = defineStep({
  type: 'k8s.get',
  summary: 'Reads one object, and values of it by JSONPath for later steps. The values of Secrets are never read out.',
  input: Type.Object(
    {
      ...objectFields,
      values: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z][A-Za-z0-9_]*$' }), Type.String({ minLength: 1 }), { description: "What to read out, by name: JSONPath as kubectl takes it, as in {.spec.volumeName}. The step fails when there is nothing at a path" })),
    },
    strict,
  ),
  output: Type.Object(
    {
      uid: Type.String(),
      resourceVersion: Type.String(),
      generation: nullable(Type.Integer()),
      labels: Type.Record(Type.String(), Type.String()),
      values: Type.Record(Type.String(), Type.String(), { description: 'Texts; numbers, lists and objects as JSON' }),
    },
    strict,
  ),
  effect: 'read',
  changes: () => [],
  permissions: (given) => [rightOf(membersOf(given), ['get'])],
  evidence: [],
  examples: [{ title: 'Which volume a claim is bound to', with: { kubernetes: 'cluster', kind: 'pvc', name: 'data-web-0', values: { volume: '{.spec.volumeName}' } } }],
  plan: (given) => ({ does: `Reads ${planned(membersOf(given))}`, calls: [] }),
  async run(given, ctx) {
    const object = await ctx.ports.kubernetes.cluster(given.kubernetes).get(referenceOf(given));
    const visible = withoutSecrets(object);
    const values = Object.entries(given.values ?? {}).map(([name, path]) => {
      const text = textAt(visible, path);
      if (text === undefined) throw new StepError('k8s-no-value', `${object.kind} ${given.name} has nothing at ${path}`, object.kind === 'Secret' ? { hint: 'The values of Secrets are not read out.' } : {});
      return [name, text];
    });
    const { metadata } = object;
    return { uid: uidOf(object), resourceVersion: metadata.resourceVersion ?? '', generation: metadata.generation ?? null, labels: { ...metadata.labels }, values: Object.fromEntries(values) as Record<string, string> };
  },
});
