import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Diagnostic } from '../engine/errors.js';
import { visible } from './visible.js';

const width = 100;

/** What is wrong with documents, for people: `file:line:column: message`, the line with a caret, expected, found, hint. */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], cwd = process.cwd()): string {
  const files = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] => {
    let lines = files.get(file);
    if (lines === undefined) files.set(file, (lines = read(resolve(cwd, file))));
    return lines;
  };
  const place = ({ position }: Diagnostic): string => `${position.file}:${position.line}`;
  const hidden = new Set(diagnostics.filter(({ secret }) => secret === true).map(place));
  return diagnostics.map((each) => renderOne(each, hidden.has(place(each)) ? undefined : linesOf(each.position.file)[each.position.line - 1])).join('\n');
}

function read(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/);
  } catch {
    return [];
  }
}

function renderOne({ position, message, expected, found, hint }: Diagnostic, line: string | undefined): string {
  const details = [
    ['expected', expected],
    ['found', found],
    ['hint', hint],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`  ${name}: ${visible(value)}\n`]));
  return `${visible(position.file)}:${position.line}:${position.column}: ${visible(message)}\n${line === undefined || line.trim() === '' ? '' : snippet(line, position.line, position.column)}${details.join('')}`;
}

/** A long line is cut to a window around the column. */
function snippet(line: string, number: number, column: number): string {
  const from = line.length <= width ? 0 : Math.max(0, Math.min(column - 1 - width / 2, line.length - width));
  const shown = visible(line.slice(from, from + width));
  const margin = String(number);
  const pad = ' '.repeat(visible(line.slice(from, column - 1)).length);
  return `  ${margin} | ${shown}\n  ${' '.repeat(margin.length)} | ${pad}^\n`;
}
