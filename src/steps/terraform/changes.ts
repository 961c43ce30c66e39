import { Type } from 'typebox';
import { defineWatcher, type WatchContext } from '../../engine/define-watcher.js';
import { messageOf } from '../../engine/errors.js';
import { strict } from '../../engine/schema.js';
import { CodeWatch, tellCode } from './lib/watch-code.js';
import { StateWatch, type StateSource } from './lib/watch-state.js';

export const watcher = defineWatcher({
  type: 'terraform.changes',
  summary: 'Sees infrastructure code that is not what git has, modules and providers that are not pinned, inputs that no document names, and states that rise, fall or are replaced without a step of the run.',
  input: Type.Object({ connections: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'Default: every connection of kind infrastructure' })) }, strict),
  permissions: () => [{ system: 'command', command: 'git' }, { system: 'command', command: 'terraform' }],
  examples: [{ title: 'Everything that is built from code', with: {} }, { title: 'One of several', with: { connections: ['shop'] } }],
  plan: ({ connections }) => ({
    does: `Watches code, inputs and states of ${connections === undefined ? 'everything that is built from code' : connections.join(', ')}`,
    calls: ['git ls-tree HEAD, git hash-object', 'terraform state pull'],
  }),
  async begin({ connections }, ctx) {
    const names = connections ?? [...ctx.world.connections].filter(([, { kind }]) => kind === 'infrastructure').map(([name]) => name);
    const codes: CodeWatch[] = [];
    const states: StateWatch[] = [];
    for (const connection of names) {
      const { directory, env, secretEnv } = ctx.world.connections.get(connection)?.details ?? {};
      if (typeof directory !== 'string') {
        ctx.gap(`connection ${connection} is no infrastructure that is there now`);
        continue;
      }
      const watched = { connection, folder: directory, documented: new Set([...Object.keys(typeof env === 'object' && env !== null ? env : {}), ...(Array.isArray(secretEnv) ? secretEnv.filter((name): name is string => typeof name === 'string') : [])]) };
      await tellCode(watched, ctx);
      const code = new CodeWatch(watched, ctx);
      await code.begin();
      codes.push(code);
      const state = new StateWatch(sourceOf(connection, ctx), ctx);
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

/** Plain Terraform has one state and knows which serials are ours; Terragrunt has one for each unit. */
function sourceOf(connection: string, ctx: WatchContext): StateSource {
  const { infrastructure, terragrunt } = ctx.ports;
  if (ctx.world.connections.get(connection)?.details['terragrunt'] === undefined) {
    return {
      connection,
      read: async () => new Map([['.', await infrastructure.state(connection, ctx.signal)]]),
      own: () => infrastructure.written(connection),
    };
  }
  return {
    connection,
    async read() {
      // An empty lineage: the tool made the state up, nothing was applied yet.
      const units = (await terragrunt.units(connection, {}, ctx.signal)).map(({ unit }) => unit);
      return new Map((await terragrunt.states(connection, units, {}, ctx.signal)).map(({ unit, state }) => [unit, state === null || state.lineage === '' ? null : state]));
    },
    own: () => undefined,
  };
}
