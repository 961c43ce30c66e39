import { Type } from 'typebox';
import { defineStep } from '../../engine/define-step.js';
import { parseDuration } from '../../engine/duration.js';
import { StepError } from '../../engine/errors.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { Duration, literals, nullable, strict } from '../../engine/schema.js';
import { runTag } from '../../engine/mark.js';
import { Aws, SnapshotId, Tags, VolumeId } from './lib/inputs.js';
import { pickSnapshot, refuseOld, ruleInWords, type SnapshotRule } from './lib/pick-snapshot.js';
import { ec2Of } from './lib/preflight.js';
import { noSnapshot } from './lib/names.js';
import { ec2Rights } from './lib/rights.js';


export const step = defineStep({
  type: 'ec2.find-snapshot',
  summary: 'Finds the EBS snapshot to restore from: owned by this account, completed, not archived. Its data is as old as its StartTime.',
  input: Type.Object(
    {
      aws: Aws,
      tags: Type.Optional(Tags('All of which it bears')),
      volume: Type.Optional(VolumeId('That it was taken of')),
      snapshot: Type.Optional(SnapshotId('This one and no other')),
      at: Type.Optional(Type.String({ minLength: 1, description: 'The newest whose data is not younger than this time, with Z or an offset' })),
      after: Type.Optional(Type.String({ minLength: 1, description: 'None whose data is older than this time' })),
      random: Type.Optional(Type.Boolean({ description: 'Any of those that fit, so that over time all are tried', default: false })),
      seed: Type.Optional(Type.String({ minLength: 1, description: "Of the random pick; default: the run's id. It is recorded: the same seed picks the same" })),
      maxAge: Type.Optional(Duration('The run is refused when the data of the one that would be picked is older.')),
      pin: Type.Optional(literals(['rule', 'exact'], { default: 'rule', description: 'exact: the plan names the one snapshot that may be used, not only the rule that picks it' })),
    },
    strict,
  ),
  output: Type.Object({ snapshot: Type.String(), startedAt: Type.String(), sizeGiB: Type.Integer(), encrypted: Type.Boolean(), volume: nullable(Type.String()) }, strict),
  effect: 'read',
  changes: () => [],
  permissions: (input) => ec2Rights(membersOf(input).aws, 'DescribeSnapshots'),
  evidence: ['volume-snapshot'],
  examples: [
    { title: 'The newest of a lifecycle policy', with: { aws: 'aws', tags: { 'aws:dlm:lifecycle-policy-id': 'policy-0123456789abcdef0' }, volume: 'vol-0123456789abcdef0' } },
    { title: 'Any of last month, none older than 40 days', with: { aws: 'aws', tags: { app: 'shop' }, random: true, maxAge: '40d' } },
  ],
  selection: {
    rule(input) {
      const { aws, maxAge, pin, random, seed, ...rule } = membersOf(input);
      // Which one chance picks is known once the run has an id.
      if (random === true && seed === undefined) return undefined;
      return { what: 'snapshot', from: `snapshots:${inWords(aws)}`, rule: ruleInWords({ ...rule, random, seed }, inWords), maxAgeMs: typeof maxAge === 'string' ? parseDuration(maxAge) : null, pin: pin === 'exact' };
    },
    async find(input, ctx) {
      const { aws, pin: _pin, ...given } = membersOf(input);
      if (Object.values(given).some((value) => isUnknown(value) || hasUnknown(value))) throw new StepError('no-such-connection', 'which snapshot waits for the run');
      const rule = given as SnapshotRule;
      const found = await pickSnapshot(ec2Of(aws, ctx), rule, { now: new Date().toISOString(), seed: rule.seed ?? '' });
      return found === undefined ? undefined : { name: found.id, at: found.startedAt };
    },
  },
  plan(input) {
    const { aws, ...rule } = membersOf(input);
    return { does: `Finds ${ruleInWords(rule, inWords)}, in ${inWords(aws)}`, calls: ['ec2:DescribeSnapshots owner self'] };
  },
  async preflight(input, ctx) {
    // Which it will be may wait for the run; whether any may be seen does not.
    await ec2Of(membersOf(input).aws, ctx).snapshot(noSnapshot);
    return [{ id: 'right ec2:DescribeSnapshots', result: 'passed', detail: 'snapshots can be looked up' }];
  },
  async run({ aws, pin: _pin, ...rule }, ctx) {
    const ec2 = ctx.ports.ec2.of(aws);
    const { at: now } = ctx.clock.now();
    const seed = rule.seed ?? ctx.runId;
    const found = await pickSnapshot(ec2, ctx.pinned === undefined ? rule : { snapshot: ctx.pinned }, { now, seed, log: (line) => ctx.log(line) });
    if (found === undefined) throw new StepError('no-snapshot', `there is no snapshot that the rule allows: ${ruleInWords(rule, inWords)}`, { hint: 'Does the schedule still make snapshots, with these tags, in this region?' });
    refuseOld(found, rule.maxAge, now);
    await ctx.evidence('volume-snapshot', {
      connection: aws,
      snapshot: found.id,
      origin: found.tags[runTag] === undefined ? 'schedule' : 'drill',
      startedAt: found.startedAt,
      owner: found.owner,
      state: found.state,
      tier: found.tier,
      volume: found.volume,
      sizeGiB: found.sizeGiB,
      encrypted: found.encrypted,
      rule: ctx.pinned === undefined ? ruleInWords(rule, inWords) : `pinned by the plan`,
      seed: rule.random === true ? seed : null,
    });
    ctx.log(`${found.id} of ${found.startedAt}, ${found.sizeGiB} GiB${found.encrypted ? ', encrypted' : ''}`);
    return { snapshot: found.id, startedAt: found.startedAt, sizeGiB: found.sizeGiB, encrypted: found.encrypted, volume: found.volume };
  },
});

function hasUnknown(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).some((each) => isUnknown(each));
}
