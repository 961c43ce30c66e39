/**
 * Text from a runbook, a server or a bundle, made safe to show: control characters (terminal escapes),
 * line and paragraph separators, bidirectional overrides, invisible characters and lone surrogates are written out as `\u001b`. Line feeds and tabs
 * become a space unless `lines` is set, so that a value cannot forge a line of ours.
 */
export function visible(text: string, options: { readonly lines?: boolean } = {}): string {
  const flat = options.lines === true ? text.replaceAll('\r\n', '\n') : text.replaceAll(/\r?\n|\t/g, ' ');
  return flat.replaceAll(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escaped);
}

function escaped(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}

/** UTC to the second, in words that sort: `2026-11-20 07:23:34 UTC`. Anything that is no ISO time is shown as it is. */
export function utc(at: string): string {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(at);
  return found === null ? visible(at) : `${found[1]} ${found[2]} UTC`;
}
