import { Type } from 'typebox';
import { defineStep, type Effect } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { DeclaredChanges, declaredChanges } from '../general/lib/changes.js';
import { rightOf } from './lib/declare.js';
import { podInputs, podInWords, podOf } from './lib/pods.js';

const outputLimit = 64 * 1024;
const effects = ['read', 'create', 'modify', 'destroy'] as const satisfies readonly Effect[];

const input = Type.Object(
  {
    ...podInputs,
    argv: Type.Array(Type.String(), { minItems: 1, description: 'The program and its arguments, each passed as it is' }),
    effect: literals(effects, { description: 'What the command does to what it reaches' }),
    changes: Type.Optional(DeclaredChanges),
    expectExit: Type.Optional(Type.Array(Type.Integer({ minimum: 0, maximum: 255 }), { minItems: 1, default: [0], description: 'Exit codes that are no failure' })),
    health: Type.Optional(Type.String({ minLength: 1, description: 'Name of the health check that the exit code answers' })),
  },
  strict,
);

export const step = defineStep({
  type: 'k8s.exec',
  summary: 'Runs a program in a container. It needs nodes that run containers, and the websocket protocol to the API server.',
  input,
  output: Type.Object({ pod: Type.String(), exitCode: Type.Integer(), stdout: Type.String({ description: 'Its last 64 KiB, without white space at the end' }), stderr: Type.String() }, strict),
  effect: (given) => effects.find((effect) => effect === membersOf(given).effect) ?? 'modify',
  changes(given) {
    const { kubernetes, namespace, pod, changes, effect } = membersOf(given);
    if (effect === 'read') return [];
    return changes === undefined ? [{ system: `kubernetes:${inWords(kubernetes)}`, object: `pod ${namespace === undefined ? '*' : inWords(namespace)}/${pod === undefined ? '*' : inWords(pod)}` }] : declaredChanges(changes);
  },
  permissions(given) {
    const { kubernetes, namespace, pod } = membersOf(given);
    const object = { kubernetes, namespace, kind: 'Pod', name: pod };
    // Websockets are `get` to servers before 1.35, `create` since.
    return [rightOf(object, ['create', 'get'], { subresource: 'exec' }), ...(pod === undefined ? [rightOf(object, ['list'])] : [])];
  },
  evidence: ['health-checks'],
  examples: [{ title: 'Read the canary back through the pod', with: { kubernetes: 'cluster', selector: 'app=web', argv: ['cat', '/data/canary'], effect: 'read', health: 'The canary is on the volume' } }],
  plan(given) {
    const { namespace, container, argv } = membersOf(given);
    const flags = `${namespace === undefined ? '' : ` -n ${inWords(namespace)}`}${container === undefined ? '' : ` -c ${inWords(container)}`}`;
    return { does: `Runs ${inWords(Array.isArray(argv) ? argv[0] : argv)} in ${podInWords(membersOf(given))}`, calls: [`kubectl exec${flags} ${podInWords(membersOf(given))} -- ${Array.isArray(argv) ? argv.map(inWords).join(' ') : inWords(argv)}`] };
  },
  async run(given, ctx) {
    const cluster = ctx.ports.kubernetes.cluster(given.kubernetes);
    const pod = await podOf(cluster, given);
    try {
      const { exitCode, stdout, stderr } = await cluster.exec(pod, given.argv, { effect: given.effect, ...(given.container === undefined ? {} : { container: given.container }) }, ctx.signal);
      for (const line of `${stdout}${stderr}`.split('\n')) if (line !== '') ctx.log(line);
      if (!(given.expectExit ?? [0]).includes(exitCode)) throw new StepError('command-failed', `${given.argv[0]} in pod ${pod.name} ended with exit code ${exitCode}${stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-500)}`}`);
      if (given.health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: given.health, ok: true, detail: `exit code ${exitCode}` }] });
      return { pod: pod.name, exitCode, stdout: stdout.trimEnd().slice(-outputLimit), stderr: stderr.trimEnd().slice(-outputLimit) };
    } catch (error) {
      if (given.health !== undefined && error instanceof StepError && error.code === 'command-failed') await ctx.evidence('health-checks', { checks: [{ name: given.health, ok: false, detail: messageOf(error) }] });
      throw error;
    }
  },
});

