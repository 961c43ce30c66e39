/** Lines of a text that are replaced: `remove` lines from index `at` on give way to `insert`. */
export interface TextEdit {
  readonly at: number;
  readonly remove: number;
  readonly insert: readonly string[];
}

const context = 3;

/** The edits, which do not overlap, as a unified diff with three lines around each (as `diff -u` and `git apply` have it). */
export function unifiedDiff(name: string, text: string, edits: readonly TextEdit[]): string {
  const lines = text.replace(/\n$/, '').split('\n');
  const out = [`--- a/${name}`, `+++ b/${name}`];
  let shift = 0;
  for (const group of groups(edits.toSorted((a, b) => a.at - b.at))) {
    const from = Math.max(0, (group[0]?.at ?? 0) - context);
    const last = group.at(-1);
    const to = Math.min(lines.length, (last === undefined ? 0 : last.at + last.remove) + context);
    const body: string[] = [];
    let at = from;
    for (const edit of group) {
      body.push(...lines.slice(at, edit.at).map((line) => ` ${line}`));
      body.push(...lines.slice(edit.at, edit.at + edit.remove).map((line) => `-${line}`), ...edit.insert.map((line) => `+${line}`));
      at = edit.at + edit.remove;
    }
    body.push(...lines.slice(at, to).map((line) => ` ${line}`));
    const added = group.reduce((sum, { insert, remove }) => sum + insert.length - remove, 0);
    out.push(`@@ -${from + 1},${to - from} +${from + 1 + shift},${to - from + added} @@`, ...body);
    shift += added;
  }
  return `${out.join('\n')}\n`;
}

/** Edits whose context touches stand in one hunk. */
function groups(edits: readonly TextEdit[]): TextEdit[][] {
  const found: TextEdit[][] = [];
  for (const edit of edits) {
    const last = found.at(-1)?.at(-1);
    if (last !== undefined && edit.at - (last.at + last.remove) <= 2 * context) found.at(-1)?.push(edit);
    else found.push([edit]);
  }
  return found;
}
