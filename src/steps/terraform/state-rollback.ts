import { randomUUID } from 'node:crypto';
import { Type } from 'typebox';
import { defineStep, type BaseContext, type CleanupDefinition } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import { membersOf } from '../../engine/plannable.js';
import { literals, strict } from '../../engine/schema.js';
import { checkPlan, described, inWords, recordState } from './lib/facts.js';
import { infrastructureOf, stateChanges, valuesInput } from './lib/inputs.js';
import { release, releasing } from './lib/release.js';
import { checkBucket, chooseInput, chooseVersion, readVersion, ruleOf, stateObject, versionRights } from './lib/versions.js';

const noCopy = 'copying an old version over the state object does not work: with a DynamoDB lock table its digest no longer fits and every command fails, and without one the serial falls behind what plans and people have seen; the older state is pushed with the next serial instead';

/**
 * Until something was written on top of it, a rollback can be taken back. It is not where the infrastructure turned out to be as
 * the older state says: then the rollback was right.
 */
const wayBack: CleanupDefinition = {
  summary: 'Pushes the state from before the rollback again, if the rolled-back one is still the current one and does not fit the infrastructure',
  async run(data, identity, ctx) {
    const { infrastructure, bucket, key, version, over, lineage, digest } = data;
    if (typeof infrastructure !== 'string' || typeof bucket !== 'string' || typeof key !== 'string' || typeof version !== 'string' || typeof over !== 'number') return;
    const port = ctx.ports.infrastructure;
    const now = await port.state(infrastructure, ctx.signal);
    if (now === null || now.lineage !== lineage) return;
    // Until its serial is confirmed: what was pushed, by its content. Terraform itself adds one more to the serial that it is given.
    const isPushed = identity === undefined ? now.serial > over && now.serial <= over + 2 && now.digest === digest : now.serial === identity['serial'];
    if (!isPushed || (await fits(infrastructure, data['values'], ctx))) return;
    await marked(infrastructure, ctx, async (mark) => port.push(infrastructure, await ctx.ports.s3.read(bucket, key, version), now.serial, { mark }, ctx.signal));
    ctx.log(`took the rollback of ${infrastructure} back: version ${version} counts again`);
  },
};

async function fits(infrastructure: string, values: unknown, ctx: BaseContext): Promise<boolean> {
  const request = typeof values === 'object' && values !== null ? values : {};
  return marked(infrastructure, ctx, async (mark) => (await ctx.ports.infrastructure.plan(infrastructure, request, { mark }, ctx.signal)).exitCode === 0);
}

/** A cleanup cannot register another: it undoes its own commands. */
async function marked<T>(infrastructure: string, ctx: BaseContext, work: (mark: string) => Promise<T>): Promise<T> {
  const mark = randomUUID();
  try {
    return await work(mark);
  } finally {
    await ctx.ports.infrastructure.release(infrastructure, mark, ctx.signal);
  }
}

export const step = defineStep({
  type: 'terraform.state-rollback',
  summary: 'Makes an older version of a state in S3 the current one: same lineage, pushed with the next serial, under the lock. The infrastructure stays as it is, so a plan follows that shows what differs.',
  input: Type.Object(
    {
      ...chooseInput,
      ...valuesInput,
      method: Type.Optional(literals(['push', 'copy'], { default: 'push', description: 'copy is refused: the plan says why' })),
    },
    strict,
  ),
  output: Type.Object(
    {
      version: Type.String({ description: 'The version that counts again, by its content' }),
      serial: Type.Integer({ description: 'The new one' }),
      lineage: Type.String(),
      resources: Type.Integer(),
      kept: Type.String({ description: 'Version id of the state from before: the way back' }),
      differs: Type.Integer({ description: 'Resources that are not as state and code say' }),
      addresses: Type.Array(Type.String()),
      summary: Type.String(),
    },
    strict,
  ),
  effect: 'modify',
  changes: stateChanges,
  permissions: versionRights,
  evidence: ['infrastructure-state'],
  examples: [
    { title: 'To the version that an earlier step picked', with: { infrastructure: 'shop', bucket: 'states', version: '{{ steps.versions.chosen.version }}' } },
    { title: 'To what counted at a time', with: { infrastructure: 'shop', bucket: 'states', before: '2026-11-20T10:00:00Z' } },
  ],
  cleanups: { release, 'way-back': wayBack },
  plan(given) {
    if (membersOf(given).method === 'copy') return { does: `Refused: ${noCopy}`, calls: [] };
    return {
      does: `Makes ${ruleOf(given)} of the state of ${infrastructureOf(given)} the current one, with the next serial; its infrastructure is not touched`,
      calls: ['s3:GetObject of that version', 'terraform state push - (same lineage, serial + 1)', 'terraform plan -detailed-exitcode'],
      undo: ['pushes the state from before again, as long as nothing was written on top'],
    };
  },
  async preflight(given, ctx) {
    if (membersOf(given).method === 'copy') return [{ id: 'method', result: 'failed', detail: noCopy }];
    return checkBucket(given, ctx);
  },
  async run({ method, vars, varFiles, ...given }, ctx) {
    if (method === 'copy') throw new StepError('copy-refused', noCopy);
    const { infrastructure, bucket } = given;
    const port = ctx.ports.infrastructure;
    const values = { ...(vars === undefined ? {} : { vars }), ...(varFiles === undefined ? {} : { varFiles }) };
    const now = await port.state(infrastructure, ctx.signal);
    if (now === null) throw new StepError('no-state', `${infrastructure} has no state to roll back`);
    const object = await stateObject(given, ctx);
    const [newest] = object.versions;
    const found = await chooseVersion(given, object, ctx);
    const { text, facts } = await readVersion(given, object, found, ctx);
    if (newest === undefined || found.version === newest.version) throw new StepError('already-current', `version ${found.version} is the current state already`);
    if (facts.lineage !== now.lineage) throw new StepError('wrong-lineage', `version ${found.version} has the lineage ${facts.lineage}, the current state has ${now.lineage}: it is another infrastructure's state`);
    await recordState(infrastructure, 'before', now, ctx);
    ctx.log(`from serial ${now.serial} (version ${newest.version}) back to the content of serial ${facts.serial} (version ${found.version}) with a serial above`);
    const wayBack = await ctx.defer({ uses: 'terraform.state-rollback/way-back', with: { infrastructure, bucket, key: object.key, version: newest.version, over: now.serial, lineage: now.lineage, digest: port.facts(text).digest, values } });
    const pushed = await releasing(ctx, 'terraform.state-rollback', infrastructure, (mark) => port.push(infrastructure, text, now.serial, mark, ctx.signal));
    await wayBack.confirm({ serial: pushed.serial });
    await recordState(infrastructure, 'applied', pushed, ctx);
    const saved = await releasing(ctx, 'terraform.state-rollback', infrastructure, (mark) => port.plan(infrastructure, values, mark, ctx.signal));
    checkPlan(saved);
    for (const change of [...saved.facts.changes, ...saved.facts.drift]) ctx.log(`differs: ${described(change)}`);
    return {
      version: found.version,
      serial: pushed.serial,
      lineage: pushed.lineage,
      resources: pushed.resources.length,
      kept: newest.version,
      differs: saved.facts.changes.length,
      addresses: saved.facts.changes.map(({ address }) => address),
      summary: `serial ${pushed.serial} has the content of serial ${facts.serial}; plan: ${inWords(saved.facts)}; version ${newest.version} is kept`,
    };
  },
});
