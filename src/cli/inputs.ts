import { UsageError } from '../engine/errors.js';

/** `--set name=value`, repeated. The value is everything after the first `=`. Throws UsageError. */
export function parseSet(texts: readonly string[]): Record<string, string> {
  const set: Record<string, string> = {};
  for (const text of texts) {
    const found = /^([a-z][A-Za-z0-9_]*)=([^]*)$/.exec(text);
    const [, name, value] = found ?? [];
    if (name === undefined || value === undefined) throw new UsageError(`--set: expected name=value, found ${JSON.stringify(text.split('=')[0])}${text.includes('=') ? '=...' : ''}`);
    if (Object.hasOwn(set, name)) throw new UsageError(`--set: ${name} is given twice`);
    set[name] = value;
  }
  return set;
}
