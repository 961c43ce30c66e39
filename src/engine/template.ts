import { StepError } from './errors.js';

/**
 * `{{ path }}` in the values of a runbook: the paths of Handlebars and nothing else of it (docs/decisions says why).
 * A path is names joined by dots (`steps.reference.tables`), an index for a list (`rows.0`), or `[any text]`. `\{{` is a
 * literal `{{`. Only own members are ever read.
 */
export interface TemplatePath {
  readonly path: string;
  readonly segments: readonly string[];
}

/** A template that is no path. `offset` counts from the start of the text. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  constructor(readonly offset: number, message: string, readonly hint?: string) {
    super(message);
  }
}

type Part = string | TemplatePath;

const plain: readonly Part[] = [];
const parsed = new Map<string, readonly Part[]>();
const open = '{{';
const segment = /^(?:[A-Za-z_][A-Za-z0-9_-]*|\d+|\[[^[\]]*\])$/;
const forbidden = new Set(['__proto__', 'prototype', 'constructor']);

/** The text between the templates and their paths, in order; empty for text without `{{`. Throws TemplateError. */
export function parseTemplate(text: string): readonly Part[] {
  if (!text.includes(open)) return plain;
  let parts = parsed.get(text);
  if (parts === undefined) {
    parts = parse(text);
    if (parsed.size > 10_000) parsed.clear();
    parsed.set(text, parts);
  }
  return parts;
}

function parse(text: string): Part[] {
  const parts: Part[] = [];
  let literal = '';
  let at = 0;
  for (let start = text.indexOf(open); start !== -1; start = text.indexOf(open, at)) {
    if (text[start - 1] === '\\') {
      literal += text.slice(at, start - 1) + open;
      at = start + 2;
      continue;
    }
    const end = text.indexOf('}}', start);
    if (end === -1) throw new TemplateError(start, 'the template is not closed', 'end it with }}');
    const path = parsePath(text.slice(start + 2, end), start);
    literal += text.slice(at, start);
    if (literal !== '') parts.push(literal);
    parts.push(path);
    literal = '';
    at = end + 2;
  }
  literal += text.slice(at);
  if (literal !== '') parts.push(literal);
  return parts;
}

const onlyPaths = 'only paths are allowed, such as {{ inputs.table }} or {{ steps.backup.name }}';

function parsePath(inner: string, offset: number): TemplatePath {
  if (inner.startsWith('{')) throw new TemplateError(offset, 'triple braces are not allowed: nothing is ever escaped', 'write two braces');
  if (/^\s*[#/^]/.test(inner) || /^\s*else\b/.test(inner)) throw new TemplateError(offset, 'blocks are not allowed in templates', onlyPaths);
  if (/^\s*[>!&~@*]/.test(inner)) throw new TemplateError(offset, 'only a path may stand in a template', onlyPaths);
  const path = inner.trim();
  if (path === '') throw new TemplateError(offset, 'the template is empty', onlyPaths);
  const segments = split(path);
  if (segments === undefined) {
    if (/\s/.test(path)) throw new TemplateError(offset, 'helpers are not allowed in templates', onlyPaths);
    throw new TemplateError(offset, `"${path}" is no path`, onlyPaths);
  }
  const names = segments.map((name) => (name.startsWith('[') ? name.slice(1, -1) : name));
  const bad = names.find((name) => forbidden.has(name));
  if (bad !== undefined) throw new TemplateError(offset, `"${bad}" is never read by a template`);
  return { path: segments.join('.'), segments: names };
}

function split(path: string): string[] | undefined {
  const segments = path.match(/\[[^[\]]*\]|[^.[\]]+/g) ?? [];
  return segments.join('.') === path && segments.every((name) => segment.test(name)) ? segments : undefined;
}

/** Every path in `value`, with where it stands. Throws TemplateError. */
export function templatePaths(value: unknown): { path: string; pointer: (string | number)[] }[] {
  const found: { path: string; pointer: (string | number)[] }[] = [];
  eachText(value, [], (text, pointer) => {
    for (const part of parseTemplate(text)) if (typeof part !== 'string') found.push({ path: part.path, pointer });
  });
  return found;
}

/** Calls `visit` for every string in `value`. */
export function eachText(value: unknown, pointer: (string | number)[], visit: (text: string, pointer: (string | number)[]) => void): void {
  if (typeof value === 'string') visit(value, pointer);
  else if (Array.isArray(value)) value.forEach((item, index) => eachText(item, [...pointer, index], visit));
  else if (typeof value === 'object' && value !== null) for (const [name, member] of Object.entries(value)) eachText(member, [...pointer, name], visit);
}

/** Marks a value that is not known yet: the path it waits for, or the template text that holds such a path. */
interface UnknownValue {
  readonly unknown: string;
}

function isUnknown(value: unknown): value is UnknownValue {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'unknown') && Object.keys(value).length === 1 && typeof (value as UnknownValue).unknown === 'string';
}

/** The value at `path`, by own members only; undefined when there is none. */
function look(path: TemplatePath, known: unknown): unknown {
  let value = known;
  for (const name of path.segments) {
    if (isUnknown(value)) return { unknown: path.path } satisfies UnknownValue;
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value) && !/^\d+$/.test(name)) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function asText(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const found = value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object';
  throw new StepError('template-not-text', `{{ ${path} }} stands inside text, but its value is ${found}`, { hint: 'A template that stands alone keeps the type of its value.' });
}

/** `missing` says what a path without a value becomes. */
function renderWith(value: unknown, known: unknown, missing: (path: string) => UnknownValue): unknown {
  if (typeof value === 'string') {
    const parts = parseTemplate(value);
    if (parts.length === 0) return value;
    const values = parts.map((part) => (typeof part === 'string' ? part : (look(part, known) ?? absent(part, known, missing))));
    if (values.length === 1) return values[0];
    if (values.some(isUnknown)) return { unknown: value } satisfies UnknownValue;
    return values.map((each, index) => asText(each, pathOf(parts[index]))).join('');
  }
  if (Array.isArray(value)) return value.map((item) => renderWith(item, known, missing));
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, renderWith(member, known, missing)]));
  return value;
}

const pathOf = (part: Part | undefined) => (typeof part === 'object' ? part.path : '');
/** A value of null is a value; only a path that leads nowhere is missing. */
const absent = (path: TemplatePath, known: unknown, missing: (path: string) => UnknownValue) => (look(path, known) === null ? null : missing(path.path));

/**
 * `value` with every template replaced. A template that stands alone keeps the type of its value. Throws StepError
 * `template-unresolved` for a path without a value and `template-not-text` for null, a list or an object inside text.
 */
export function render(value: unknown, known: unknown): unknown {
  return renderWith(value, known, (path) => {
    throw new StepError('template-unresolved', `{{ ${path} }} has no value`);
  });
}

/** As `render`, but a leaf that waits for the run becomes `{ unknown: path }`, and text around it `{ unknown: text }`. */
export function renderKnown(value: unknown, known: unknown): unknown {
  return renderWith(value, known, (path) => ({ unknown: path }));
}

/** What `env.*` may name: members of the environment's metadata. */
export const environmentPaths = ['name', 'title', 'sandbox'] as const;
/** What `run.*` may name. */
export const runPaths = ['id'] as const;

/** The values of `env.*`; a title that is not given is the name. */
export function environmentValues(metadata: { readonly name: string; readonly title?: string; readonly sandbox?: boolean }): Record<(typeof environmentPaths)[number], string | boolean> {
  return { name: metadata.name, title: metadata.title ?? metadata.name, sandbox: metadata.sandbox ?? false };
}
