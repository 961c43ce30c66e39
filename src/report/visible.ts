/**
 * Text from a runbook, a server or a bundle, made safe to show: control characters (terminal escapes),
 * line and paragraph separators and bidirectional overrides are written out as `\u001b`. Line feeds and tabs
 * become a space unless `lines` is set, so that a value cannot forge a line of ours.
 */
export function visible(text: string, options: { readonly lines?: boolean } = {}): string {
  const flat = options.lines === true ? text.replaceAll('\r\n', '\n') : text.replaceAll(/\r?\n|\t/g, ' ');
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return flat.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** UTC to the second, in words that sort: `2026-11-20 07:23:34 UTC`. Anything that is no ISO time is shown as it is. */
export function utc(at: string): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(at);
  return found === null ? visible(at) : `${found[1]} ${found[2]} UTC`;
}
