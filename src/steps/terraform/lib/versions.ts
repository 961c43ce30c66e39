import { Type, type Static } from 'typebox';
import type { ObjectVersion } from '../../../clients/s3/port.js';
import type { Plannable, PlanContext, PreflightCheck, StepContext } from '../../../engine/define-step.js';
import type { Permission } from '../../../engine/permission.js';
import { StepError } from '../../../engine/errors.js';
import { inWords, knownText, membersOf } from '../../../engine/plannable.js';
import { ConnectionName } from '../../../engine/schema.js';
import { bucketRights } from '../../s3/lib/rights.js';
import { infrastructureInput } from './inputs.js';

/** Which older version of the state. */
export const chooseInput = {
  ...infrastructureInput,
  bucket: ConnectionName('bucket', 'The bucket that holds the state'),
  version: Type.Optional(Type.String({ minLength: 1, description: 'Version id of the state object' })),
  serial: Type.Optional(Type.Integer({ minimum: 0, description: 'The newest version with this serial' })),
  before: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$', description: 'The version that counted at this time, UTC' })),
};
const Choose = Type.Object(chooseInput);
export type Choice = Static<typeof Choose>;

/** One version of the state object, by what stands in it. Values are not kept. */
export interface StateVersion {
  readonly version: string;
  readonly at: string;
  readonly lineage: string;
  readonly serial: number;
  readonly resources: number;
}

export interface StateObject {
  /** From the connection's prefix on. */
  readonly key: string;
  readonly versions: readonly ObjectVersion[];
}

/** Versions whose content is looked at; older ones are found by `version` or `before`. */
const mostRead = 50;

export const versionRights = (given: Plannable<Choice>): readonly Permission[] => [
  { system: 'command', command: 'terraform' },
  // Which of its objects is the state stands in the code.
  ...bucketRights(membersOf(given).bucket, ['ListBucketVersions', 'GetBucketVersioning', 'GetObject', 'GetObjectVersion']),
];

/** The rule in words. Throws StepError `bad-input` when more than one is given. */
export function ruleOf(given: Plannable<Choice>): string {
  const { version, serial, before } = membersOf(given);
  const rules = [version === undefined ? [] : [`version ${inWords(version)}`], serial === undefined ? [] : [`serial ${inWords(serial)}`], before === undefined ? [] : [`the version that counted at ${inWords(before)}`]].flat();
  if (rules.length > 1) throw new StepError('bad-input', 'give one of `version`, `serial` and `before`');
  return rules[0] ?? 'the version before the current one';
}

/** The bucket keeps versions. */
export async function checkBucket(given: Plannable<Choice>, ctx: PlanContext): Promise<PreflightCheck[]> {
  const bucket = knownText(membersOf(given).bucket);
  if (bucket === undefined) return [];
  const versioning = await ctx.ports.s3.versioning(bucket);
  return [{ id: `versions in ${bucket}`, result: versioning === 'enabled' ? 'passed' : 'failed', detail: versioning === 'enabled' ? 'the bucket keeps them' : `versioning is ${versioning}: there is nothing to go back to` }];
}

/** Throws StepError `not-in-s3`, `other-bucket`. */
export async function stateObject({ infrastructure, bucket }: Choice, ctx: StepContext): Promise<StateObject> {
  const { type, settings } = await ctx.ports.infrastructure.backend(infrastructure);
  const { bucket: name, key, workspace, workspace_key_prefix: folder } = settings;
  if (type !== 's3' || typeof name !== 'string' || typeof key !== 'string') throw new StepError('not-in-s3', `the state of ${infrastructure} lies in the backend ${type}; versions of it are known in S3 only`);
  const whole = typeof workspace === 'string' ? `${typeof folder === 'string' ? folder : 'env:'}/${workspace}/${key}` : key;
  const { bucket: given, prefix } = ctx.ports.s3.bucket(bucket);
  if (given !== name || (prefix !== '' && !whole.startsWith(`${prefix}/`))) throw new StepError('other-bucket', `the state of ${infrastructure} is s3://${name}/${whole}, connection ${bucket} is s3://${given}/${prefix}`);
  const own = prefix === '' ? whole : whole.slice(prefix.length + 1);
  return { key: own, versions: (await ctx.ports.s3.versions(bucket, own)).filter(({ deleteMarker }) => !deleteMarker) };
}

export async function readVersion({ bucket }: Choice, { key }: StateObject, { version, at }: ObjectVersion, ctx: StepContext): Promise<{ readonly text: string; readonly facts: StateVersion }> {
  const text = await ctx.ports.s3.read(bucket, key, version);
  const { lineage, serial, resources } = ctx.ports.infrastructure.facts(text);
  return { text, facts: { version, at, lineage, serial, resources: resources.length } };
}

/** What the newest versions hold, newest first. */
export async function readVersions(given: Choice, object: StateObject, ctx: StepContext): Promise<StateVersion[]> {
  const read: StateVersion[] = [];
  for (const version of object.versions.slice(0, mostRead)) read.push((await readVersion(given, object, version, ctx)).facts);
  return read;
}

/** Throws StepError `no-such-version`. */
export async function chooseVersion(given: Choice, object: StateObject, ctx: StepContext): Promise<ObjectVersion> {
  const { version, serial, before } = given;
  const { versions } = object;
  const rule = ruleOf(given);
  const found =
    version !== undefined ? versions.find((each) => each.version === version)
    : serial !== undefined ? await newestOf(serial, given, object, ctx)
    // S3 cuts fractions of a second off: what is dated in the same second may have come later, and does not count.
    : before !== undefined ? versions.find(({ at }) => Date.parse(at) < Math.floor(Date.parse(before) / 1000) * 1000)
    : versions[1];
  if (found === undefined) throw new StepError('no-such-version', `the state of ${given.infrastructure} has no ${rule} among its ${versions.length} version(s)`);
  return found;
}

async function newestOf(serial: number, given: Choice, object: StateObject, ctx: StepContext): Promise<ObjectVersion | undefined> {
  for (const version of object.versions.slice(0, mostRead)) if ((await readVersion(given, object, version, ctx)).facts.serial === serial) return version;
  return undefined;
}
