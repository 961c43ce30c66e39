import type { AwsRight } from '../../../engine/permission.js';
import { inWords, knownText } from '../../../engine/plannable.js';

const ofObjects: ReadonlySet<string> = new Set(['GetObject', 'GetObjectVersion', 'DeleteObject', 'DeleteObjectVersion']);

/** In the bucket of a connection. Actions on objects hold for `key`, which is below the connection's prefix; default: for all that is. */
export function bucketRights(bucket: unknown, actions: readonly string[], key?: unknown): AwsRight[] {
  const connection = inWords(bucket);
  return actions.map((action) => ({ system: 'aws', connection, action: `s3:${action}`, resource: ofObjects.has(action) ? `object/${knownText(key) ?? '*'}` : 'bucket' }));
}
