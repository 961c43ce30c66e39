import type { Diagnostic, SourcePosition } from '../errors.js';

export type Pointer = readonly (string | number)[];

/** Where a value stands; `key`: where its key stands. The nearest parent when there is no such value. */
export type Locate = (pointer: Pointer, part: 'key' | 'value') => SourcePosition;

export interface Finding {
  readonly message: string;
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  readonly hint?: string | undefined;
  /** The line must not be shown. */
  readonly secret?: boolean;
}

/** Gathers what is wrong with one document: at most one finding for each place, none about a value that is already known to be broken. */
export class Report {
  readonly #found = new Map<string, Diagnostic>();
  readonly #broken = new Set<string>();

  constructor(readonly locate: Locate) {}

  add(pointer: Pointer, finding: Finding, part: 'key' | 'value' = 'value'): void {
    if (this.isBroken(pointer)) return;
    const id = `${part} ${JSON.stringify(pointer.map(String))} ${part === 'key' ? finding.message : ''}`;
    if (!this.#found.has(id)) this.#found.set(id, diagnostic(this.locate(pointer, part), finding));
  }

  /** As `add`; nothing more is then said about the value or anything in it. */
  broken(pointer: Pointer, finding: Finding, part: 'key' | 'value' = 'value'): void {
    this.add(pointer, finding, part);
    this.ignore(pointer);
  }

  ignore(pointer: Pointer): void {
    this.#broken.add(JSON.stringify(pointer.map(String)));
  }

  isBroken(pointer: Pointer): boolean {
    if (this.#broken.size === 0) return false;
    for (let length = pointer.length; length >= 0; length--) if (this.#broken.has(JSON.stringify(pointer.slice(0, length).map(String)))) return true;
    return false;
  }

  /** Has something been said about this very value? */
  has(pointer: Pointer): boolean {
    return this.#found.has(`value ${JSON.stringify(pointer.map(String))} `);
  }

  /** In the order of the document; what an alias repeats is said once. */
  diagnostics(): Diagnostic[] {
    const distinct = new Map([...this.#found.values()].map((each) => [`${each.position.line}:${each.position.column} ${each.message}`, each]));
    return [...distinct.values()].toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  }
}

export function diagnostic(position: SourcePosition, { message, expected, found, hint, secret }: Finding): Diagnostic {
  return { position, message, ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }), ...(hint === undefined ? {} : { hint }), ...(secret === true ? { secret } : {}) };
}

/** A value in a few words. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping';
  const text = JSON.stringify(value);
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return typeof value === 'string' ? shown : `${shown} (${typeof value})`;
}

/** `a, b or c` */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names[names.length - 1]}`;
}
