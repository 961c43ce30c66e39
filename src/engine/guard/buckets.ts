/** `bucket` or `bucket/prefix` of boundary.buckets: the bucket exactly, and keys that begin with the prefix. */
interface BucketPattern {
  readonly bucket: string;
  readonly prefix: string;
}

function parsed(text: string): BucketPattern {
  const slash = text.indexOf('/');
  return slash < 0 ? { bucket: text, prefix: '' } : { bucket: text.slice(0, slash), prefix: text.slice(slash + 1) };
}

/** Why an object is outside the boundary, and what would allow it; undefined when it is inside. A bucket as a whole is inside when any of it is. */
export function outsideBuckets(allowed: readonly string[], { bucket, key }: { readonly bucket: string; readonly key?: string }): { readonly reason: string; readonly allow: string } | undefined {
  const inside = allowed.map(parsed).some((pattern) => pattern.bucket === bucket && (key === undefined || isBelow(pattern.prefix, key)));
  return inside ? undefined : { reason: 'it is outside the boundary', allow: `boundary: { buckets: ["${bucket}${key === undefined ? '' : `/${key}`}"] }` };
}

/** `app` covers `app` and `app/x`, not `application`. */
function isBelow(prefix: string, key: string): boolean {
  return prefix === '' || key === prefix || key.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}
