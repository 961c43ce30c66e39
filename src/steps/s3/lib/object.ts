import { Type, type Static } from 'typebox';
import type { ObjectVersion } from '../../../clients/s3/port.js';
import type { Change, Plannable, PlanContext, PreflightCheck, StepContext } from '../../../engine/define-step.js';
import type { AwsRight } from '../../../engine/permission.js';
import { StepError } from '../../../engine/errors.js';
import type { EvidenceOf } from '../../../engine/kinds/index.js';
import { inWords, knownText, membersOf } from '../../../engine/plannable.js';
import { ConnectionName } from '../../../engine/schema.js';
import { bucketRights } from './rights.js';

/** An object of a bucket connection. */
export const objectInput = {
  bucket: ConnectionName('bucket', 'Where the object lies'),
  key: Type.String({ minLength: 1, description: "Key, from the connection's prefix on" }),
};

/** Which of its versions; without either, the one that counts now. */
export const versionInput = {
  version: Type.Optional(Type.String({ minLength: 1, description: 'Version id' })),
  at: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$', description: 'The version that counted at this time, UTC' })),
};

export const versionOutput = {
  version: Type.String(),
  at: Type.String({ description: 'When it was written; S3 gives whole seconds' }),
  size: Type.Integer({ minimum: 0 }),
};

type ObjectInput = { readonly bucket: string; readonly key: string };
type Asked = NonNullable<EvidenceOf<'object-versions'>['asked']>;
const Chosen = Type.Object(versionInput);

/** How many versions a record lists. */
const listed = 100;

export const noChanges = (): readonly Change[] => [];

export const readingRights = (...actions: string[]) => (given: Plannable<ObjectInput>): AwsRight[] => bucketRights(membersOf(given).bucket, actions, membersOf(given).key);

export const place = (given: Plannable<ObjectInput>): string => `${inWords(membersOf(given).key)} in ${inWords(membersOf(given).bucket)}`;

/** The bucket can be reached, and keeps versions. */
export async function checkVersioning(given: Plannable<ObjectInput>, ctx: PlanContext): Promise<PreflightCheck[]> {
  const bucket = knownText(membersOf(given).bucket);
  if (bucket === undefined) return [];
  const versioning = await ctx.ports.s3.versioning(bucket);
  return [{ id: `versions in ${bucket}`, result: versioning === 'enabled' ? 'passed' : 'failed', detail: versioning === 'enabled' ? 'the bucket keeps them' : `versioning is ${versioning}: what is written over or deleted is gone` }];
}

/** The version that counted at `time`; undefined where there was none, or the object counted as deleted. */
export function versionAt(versions: readonly ObjectVersion[], time: string): ObjectVersion | undefined {
  // S3 cuts fractions of a second off: what is dated in the same second may have come later, and does not count.
  const until = Math.floor(Date.parse(time) / 1000) * 1000;
  const found = versions.find(({ at }) => Date.parse(at) < until || at === time);
  return found?.deleteMarker === true ? undefined : found;
}

/** Lists the versions and finds the one that is asked for. Throws StepError `no-such-version`, saying what there is. */
export async function choose({ bucket, key, version, at }: ObjectInput & Static<typeof Chosen>, versions: readonly ObjectVersion[]): Promise<ObjectVersion> {
  if (version !== undefined && at !== undefined) throw new StepError('bad-input', 'give `version` or `at`, not both');
  const found = version !== undefined ? versions.find((each) => each.version === version && !each.deleteMarker) : at !== undefined ? versionAt(versions, at) : versions.find(({ latest, deleteMarker }) => latest && !deleteMarker);
  if (found !== undefined) return Promise.resolve(found);
  const newest = versions[0];
  const there = newest === undefined ? 'it never was' : newest.deleteMarker ? `it was deleted at ${newest.at} (delete marker ${newest.version})` : `the newest of ${versions.length} version(s) is ${newest.version} of ${newest.at}`;
  throw new StepError('no-such-version', `${key} in ${bucket} has no ${version !== undefined ? `version ${version}` : at !== undefined ? `version that counted at ${at}` : 'version that counts now'}: ${there}`);
}

/** Records what there is; `asked` once a version was looked at. */
export async function record({ bucket, key }: ObjectInput, versions: readonly ObjectVersion[], asked: Asked | null, ctx: StepContext): Promise<void> {
  const { bucket: name, prefix } = ctx.ports.s3.bucket(bucket);
  const deleteMarkers = versions.filter(({ deleteMarker }) => deleteMarker).length;
  await ctx.evidence('object-versions', {
    connection: bucket,
    bucket: name,
    key: prefix === '' ? key : `${prefix}/${key}`,
    versioning: await ctx.ports.s3.versioning(bucket),
    versions: versions.length - deleteMarkers,
    deleteMarkers,
    newest: versions.slice(0, listed).map(({ version, at, size, deleteMarker }) => ({ version, at, size, deleteMarker })),
    asked,
  });
}
