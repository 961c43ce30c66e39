import { Type } from 'typebox';
import type { Ec2, Tags as TagsOf } from '../../clients/ec2/port.js';
import { defineStep, type BaseContext } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { inWords, itemsOf, knownText, membersOf } from '../../engine/plannable.js';
import { strict } from '../../engine/schema.js';
import { runTag } from '../../engine/mark.js';
import { tokenTag } from './lib/names.js';
import { sendUntil } from './lib/ask.js';
import { Aws, Tags } from './lib/inputs.js';
import { checkRight, ec2Of } from './lib/preflight.js';
import { ec2Rights } from './lib/rights.js';

export const step = defineStep({
  type: 'ec2.tag',
  summary: 'Puts tags on volumes and snapshots. They are as before after the drill.',
  input: Type.Object({ aws: Aws, resources: Type.Array(Type.String({ pattern: '^(vol|snap)-[0-9a-f]{8,17}$' }), { minItems: 1, description: 'Volumes and snapshots' }), tags: Tags('To put on each') }, strict),
  output: Type.Object({}, strict),
  effect: 'modify',
  changes: (input) => itemsOf(membersOf(input).resources).map((id) => ({ system: `aws:${inWords(membersOf(input).aws)}`, object: `${inWords(id).startsWith('snap-') ? 'snapshot' : inWords(id).startsWith('vol-') ? 'volume' : '*'} ${inWords(id)}` })),
  permissions: (input) => ec2Rights(membersOf(input).aws, 'CreateTags', 'DeleteTags', 'DescribeVolumes', 'DescribeSnapshots'),
  evidence: [],
  examples: [{ title: 'Say what it is for', with: { aws: 'aws', resources: ['vol-0123456789abcdef0'], tags: { drill: 'quarterly' } } }],
  cleanups: { restore: { summary: 'Puts the tags back as they were', run: (data, _identity, ctx) => putBack(data, ctx) } },
  plan(input) {
    const { resources, tags } = membersOf(input);
    return { does: `Tags ${inWords(resources)} with ${typeof tags === 'object' && tags !== null ? Object.entries(tags).map(([key, value]) => `${key}=${inWords(value)}`).join(', ') : inWords(tags)}`, calls: ['ec2:CreateTags'], undo: ['the tags as they were'] };
  },
  async preflight(input, ctx) {
    const { aws, resources } = membersOf(input);
    const known = itemsOf(resources).flatMap((id) => knownText(id) ?? []);
    return [await checkRight(ec2Of(aws, ctx), 'CreateTags', known.length === 0 ? undefined : { action: 'CreateTags', resources: known, tags: { 'muster-preflight': '' } })];
  },
  async run({ aws, resources, tags }, ctx) {
    const ec2 = ctx.ports.ec2.of(aws);
    const kept = [ec2.details.tag.key, runTag, tokenTag];
    const wrong = Object.keys(tags).find((key) => kept.includes(key) || key.startsWith('aws:'));
    if (wrong !== undefined) throw new StepError('tag-refused', `\`tags\` may not set ${wrong}`, { hint: 'The tag of the boundary, and those by which a run knows its own, decide what a drill may alter.' });
    for (const id of resources) {
      const before = await tagsNow(ec2, id);
      const had = Object.fromEntries(Object.keys(tags).flatMap((key) => (before[key] === undefined ? [] : [[key, before[key]]])));
      await ctx.defer({ uses: 'ec2.tag/restore', with: { aws, id, put: tags, had } });
      await ec2.change({ action: 'CreateTags', resources: [id], tags });
    }
    return {};
  },
});

async function tagsNow(ec2: Ec2, id: string): Promise<TagsOf> {
  const found = id.startsWith('snap-') ? await ec2.snapshot(id) : await ec2.volume(id);
  if (found === undefined) throw new StepError('no-such-resource', `there is no ${id} in this account and region`);
  return found.tags;
}

/** A tag that somebody has set to another value since is left alone. */
async function putBack(data: Record<string, unknown>, ctx: BaseContext): Promise<void> {
  const { aws, id, put, had } = data as { readonly aws: string; readonly id: string; readonly put: TagsOf; readonly had: TagsOf };
  const ec2 = ctx.ports.ec2.of(aws);
  const now = await sendUntil(() => tagsNow(ec2, id).catch((error: unknown) => {
    if (error instanceof StepError && error.code === 'no-such-resource') return undefined;
    throw error;
  }), ctx);
  if (now === undefined) return;
  const ours = Object.entries(put).filter(([key, value]) => now[key] === value && had[key] !== value);
  const back = Object.fromEntries(ours.flatMap(([key]) => (had[key] === undefined ? [] : [[key, had[key]]])));
  const gone = Object.fromEntries(ours.filter(([key]) => had[key] === undefined));
  if (Object.keys(back).length > 0) await sendUntil(() => ec2.change({ action: 'CreateTags', resources: [id], tags: back }), ctx);
  if (Object.keys(gone).length > 0) await sendUntil(() => ec2.change({ action: 'DeleteTags', resources: [id], tags: gone }), ctx);
}
