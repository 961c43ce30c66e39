import { stripVTControlCharacters, styleText } from 'node:util';

/** Colours of the terminal reports; without colour each returns its text as it is. */
export interface Style {
  readonly colour: boolean;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly accent: (text: string) => string;
}

export function createStyle(colour: boolean): Style {
  const of = (...formats: ('green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan')[]) => (text: string) => (colour && text !== '' ? styleText(formats, text) : text);
  return { colour, good: of('green'), bad: of('red'), warn: of('yellow'), dim: of('dim'), strong: of('bold'), accent: of('cyan') };
}

/** Colour for a stream: a terminal that is not dumb, unless NO_COLOR is set to something (no-color.org). */
export function wantsColour(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

let segmenter: Intl.Segmenter | undefined;
const plain = /^[\u0020-\u007e]*$/;
const characters = (text: string): string[] => (plain.test(text) ? text.split('') : Array.from((segmenter ??= new Intl.Segmenter('en')).segment(text), ({ segment }) => segment));

/** Columns that `text` takes on a terminal; wide characters of East Asian scripts count as one. */
export function width(text: string): number {
  return characters(stripVTControlCharacters(text)).length;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - width(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - width(text))) + text;
}

/** Plain text (no escapes) cut to `columns`, with an ellipsis. */
export function cut(text: string, columns: number): string {
  const all = characters(text);
  return all.length <= columns ? text : `${all.slice(0, Math.max(0, columns - 1)).join('')}…`;
}
