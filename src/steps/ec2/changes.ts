import { Type } from 'typebox';
import { defineWatcher, scopeOf } from '../../engine/define-watcher.js';
import { Duration, strict } from '../../engine/schema.js';
import { parseDuration } from '../../engine/duration.js';
import { every } from '../postgres/lib/loop.js';
import { ec2Rights } from './lib/rights.js';
import { Watched } from './lib/watched.js';

const defaultEvery = '15s';

export const watcher = defineWatcher({
  type: 'ec2.changes',
  summary:
    'Sees volumes and snapshots inside the boundary change that no step of the drill changed: by their state before, during and after, and by CloudTrail, which says who. CloudTrail is late and never promised to be whole: that it says nothing proves nothing.',
  input: Type.Object(
    {
      every: Type.Optional(Duration(`How often the state is compared; default ${defaultEvery}.`)),
      volumes: Type.Optional(Type.Array(Type.String({ pattern: '^vol-[0-9a-f]{8,17}$' }), { description: 'More volumes than those that bear the tag of the boundary' })),
    },
    strict,
  ),
  permissions: () => ec2Rights('*', 'DescribeVolumes', 'DescribeSnapshots').concat({ system: 'aws', connection: '*', action: 'cloudtrail:LookupEvents' }),
  examples: [{ title: 'All that bears the tag', with: {} }],
  plan: (input) => ({ does: `Compares volumes and snapshots inside the boundary every ${input.every ?? defaultEvery}, and reads CloudTrail at the end`, calls: ['ec2:DescribeVolumes', 'ec2:DescribeSnapshots', 'cloudtrail:LookupEvents'] }),
  async begin(input, ctx) {
    const places = [...ctx.world.connections].filter(([, { kind }]) => kind === 'aws').map(([name, connection]) => new Watched(name, scopeOf(connection), input.volumes ?? [], ctx));
    for (const place of places) await place.begin();
    const loop = every(ctx.clock, parseDuration(input.every ?? defaultEvery), ctx.signal, async () => {
      for (const place of places) await place.look();
    });
    return {
      stop: () => loop.stop(),
      stepEnded() {
        for (const place of places) void place.look();
      },
      async end(settleMs) {
        await loop.stop();
        for (const place of places) await place.look();
        await ctx.clock.sleep(settleMs, ctx.signal);
        let compared = 0;
        for (const place of places) compared += await place.end(settleMs);
        return compared;
      },
    };
  },
});
