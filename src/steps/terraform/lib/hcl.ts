/** A block of a configuration file: `module "network" { ... }`. */
export interface Block {
  readonly type: string;
  readonly labels: readonly string[];
  /** Between its braces. */
  readonly body: string;
}

const name = /[A-Za-z_][\w-]*/y;

/** The blocks of an HCL text, not those within them. Comments, strings and here-documents are passed over. */
export function blocksOf(text: string): Block[] {
  const found: Block[] = [];
  let at = 0;
  while (at < text.length) {
    const after = skipped(text, at);
    if (after > at) {
      at = after;
      continue;
    }
    name.lastIndex = at;
    const word = name.exec(text)?.[0];
    if (word === undefined) {
      // What is nested is passed over as a whole.
      at = text[at] === '{' || text[at] === '[' || text[at] === '(' ? closing(text, at) : at + 1;
      continue;
    }
    const header = /^((?:[ \t]*"[^"]*"|[ \t]+[A-Za-z_][\w-]*)*)[ \t]*\{/.exec(text.slice(at + word.length, at + word.length + 500));
    if (header === null) {
      at += word.length;
      continue;
    }
    const open = at + word.length + header[0].length - 1;
    const end = closing(text, open);
    found.push({ type: word, labels: [...(header[1] ?? '').matchAll(/"([^"]*)"|([A-Za-z_][\w-]*)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''), body: text.slice(open + 1, end - 1) });
    at = end;
  }
  return found;
}

/** Text of an attribute that is one quoted string without interpolation. */
export function textOf(body: string, attribute: string): string | undefined {
  return new RegExp(`(?:^|[\\n{,;])\\s*"?${attribute}"?\\s*[=:]\\s*"([^"$]*)"`).exec(body)?.[1];
}

/** Names that are assigned at the top of a text (`name = ...`). */
export function assigned(text: string): string[] {
  return [...text.matchAll(/^[ \t]*"?([A-Za-z_][\w-]*)"?[ \t]*[=:]/gm)].map(([, found = '']) => found);
}

/** Just after the bracket that closes the one at `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  let at = open;
  while (at < text.length) {
    const after = skipped(text, at);
    if (after > at) {
      at = after;
      continue;
    }
    const char = text[at] ?? '';
    if ('{[('.includes(char)) depth += 1;
    if ('}])'.includes(char)) depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return at;
}

/** Where a comment, a string or a here-document that starts at `at` ends; `at` itself where none does. */
function skipped(text: string, at: number): number {
  const to = (end: number, length: number) => (end < 0 ? text.length : end + length);
  if (text[at] === '#' || text.startsWith('//', at)) return to(text.indexOf('\n', at), 1);
  if (text.startsWith('/*', at)) return to(text.indexOf('*/', at + 2), 2);
  if (text[at] === '"') return stringEnd(text, at);
  const marker = text.startsWith('<<', at) ? /^<<[-~]?(\w+)\r?\n/.exec(text.slice(at, at + 100)) : null;
  if (marker === null) return at;
  const end = new RegExp(`^\\s*${marker[1]}\\b`, 'm').exec(text.slice(at + marker[0].length));
  return end === null ? text.length : at + marker[0].length + end.index + end[0].length;
}

function stringEnd(text: string, at: number): number {
  for (let here = at + 1; here < text.length; here += 1) {
    if (text[here] === '\\') here += 1;
    else if (text[here] === '"') return here + 1;
    else if ((text[here] === '$' || text[here] === '%') && text[here + 1] === '{' && text[here - 1] !== text[here]) here = closing(text, here + 1) - 1;
  }
  return text.length;
}
