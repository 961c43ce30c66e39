import type { Plannable, Unknown } from './define-step.js';

/** For `plan`, `changes` and `permissions`, whose input may still wait for the run in any leaf. */
export function isUnknown(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && 'unknown' in value && typeof value.unknown === 'string' && Object.keys(value).length === 1;
}

/** The members of an input; none while the whole input is unknown. */
export function membersOf<T extends object>(input: Plannable<T>): { readonly [K in keyof T]?: Plannable<T[K]> } {
  return isUnknown(input) ? {} : (input as { readonly [K in keyof T]?: Plannable<T[K]> });
}

/** The items of a list; none while it is absent or unknown. */
export function itemsOf<T>(list: Plannable<readonly T[]> | undefined): readonly Plannable<T>[] {
  return Array.isArray(list) ? list : [];
}

/** The text, if it is known. */
export function knownText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A value in the words of a plan: an unknown one as `<path>`, an absent one as `?`. */
export function inWords(value: unknown): string {
  if (isUnknown(value)) return `<${value.unknown}>`;
  if (value === undefined || value === null) return '?';
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
