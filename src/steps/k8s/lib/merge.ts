type Json = Readonly<Record<string, unknown>>;

/** What the server sets, and nobody sets back. */
const ofServer = new Set(['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields', 'selfLink']);

/**
 * The merge patch (RFC 7396) that makes `before` of `after`; undefined when they are the same. Lists are replaced as a whole, which is all
 * that a merge patch can do. `status` and what the server sets are left out.
 */
export function mergePatchBack(before: Json, after: Json): Json | undefined {
  return difference(authored(before), authored(after));
}

/** What somebody asked for: without status and what the server sets. */
export function authored(whole: Json): Json {
  const { status: _status, ...object } = whole;
  const { metadata } = object;
  if (!isObject(metadata)) return object;
  return { ...object, metadata: Object.fromEntries(Object.entries(metadata).filter(([name]) => !ofServer.has(name))) };
}

function difference(wanted: Json, found: Json): Json | undefined {
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
    const [want, have] = [wanted[name], found[name]];
    if (want === undefined) patch[name] = null;
    else if (isObject(want) && isObject(have)) {
      const inner = difference(want, have);
      if (inner !== undefined) patch[name] = inner;
    } else if (JSON.stringify(want) !== JSON.stringify(have)) patch[name] = want;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
