import { visible } from './visible.js';

/** Escapes all that Markdown or HTML would act on, and keeps mentions and references of others from being links. */
export function markdownText(value: string): string {
  return visible(value)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_{}[\]#|~$]/g, '\\$&')
    .replace(/^\s*(?=[-+=])|^\s*\d+(?=[.)](?:\s|$))/, '$&\\')
    .replaceAll('://', ':\\/\\/')
    .replaceAll(/www\./gi, (www) => `${www.slice(0, 3)}\\.`)
    .replaceAll('@', '@<!-- -->');
}

/** A code span: nothing in it is acted on but its own delimiter and a table's. */
export function markdownCode(value: string): string {
  return `\`${visible(value).replaceAll('`', 'ˋ').replaceAll('|', '¦')}\``;
}

/** A GitHub-flavoured table; the cells are Markdown already. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
