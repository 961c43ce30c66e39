import { Type } from 'typebox';
import { defineWatcher } from '../../engine/define-watcher.js';
import { messageOf } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { CodeWatch, tellCode } from './lib/watch-code.js';
import { ObjectWatch } from './lib/watch-objects.js';
import { StateWatch } from './lib/watch-state.js';

export const watcher = defineWatcher({
  type: 'terraform.changes',
  summary: 'Sees infrastructure code that is not what git has, modules and providers that are not pinned, inputs that no document names, and states that rise, fall or are replaced without a step of the run.',
  input: Type.Object({ connections: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Default: every connection of kind infrastructure' })) }, strict),
  permissions: () => [{ system: 'command', command: 'git' }, { system: 'command', command: 'terraform' }],
  examples: [{ title: 'Everything that is built from code', with: {} }, { title: 'One of several', with: { connections: ['shop'] } }],
  plan: ({ connections }) => ({
    does: `Watches code, inputs and states of ${connections === undefined ? 'everything that is built from code' : connections.join(', ')}`,
    calls: ['git ls-tree HEAD, git hash-object', 'terraform state pull', 's3:ListObjectVersions, s3:GetObject of the states of Terragrunt units'],
  }),
  async begin({ connections }, ctx) {
    const names = connections ?? [...ctx.world.connections].filter(([, { kind }]) => kind === 'infrastructure').map(([name]) => name);
    const codes: CodeWatch[] = [];
    const states: (StateWatch | ObjectWatch)[] = [];
    for (const connection of names) {
      const { directory, env, secretEnv, terragrunt } = ctx.world.connections.get(connection)?.details ?? {};
      if (typeof directory !== 'string') {
        ctx.gap(`connection ${connection} is no infrastructure that is there now`);
        continue;
      }
      const watched = { connection, folder: directory, documented: new Set([...Object.keys(typeof env === 'object' && env !== null ? env : {}), ...(Array.isArray(secretEnv) ? secretEnv.filter((name): name is string => typeof name === 'string') : [])]) };
      await tellCode(watched, ctx);
      const code = new CodeWatch(watched, ctx);
      await code.begin();
      codes.push(code);
      // Two commands of Terragrunt in one unit get into each other's way: its states are looked at where they are kept.
      const state = terragrunt === undefined ? new StateWatch(connection, ctx) : new ObjectWatch(connection, ctx);
      await state.begin();
      states.push(state);
    }
    let since = ctx.clock.now().at;
    const compare = async (): Promise<number> => {
      const [from, now] = [since, ctx.clock.now().at];
      let checks = 0;
      for (const code of codes) await code.compare(from);
      for (const state of states) checks += await state.compare(from);
      since = now;
      return checks + codes.length;
    };
    // One look at a time: what it compares with moves on.
    let last: Promise<unknown> = Promise.resolve();
    const queued = (): Promise<number> => {
      const next = last.then(compare);
      last = next.catch(() => undefined);
      return next;
    };
    return {
      stepEnded: () => void queued().catch((error: unknown) => ctx.gap(`it could not look after a step: ${messageOf(error)}`)),
      end: () => queued(),
      stop: () => Promise.resolve(),
    };
  },
});
