/** Stands where a secret stood. */
export const redactionMark = '[redacted]';
const mark = redactionMark;

/**
 * Replaces secrets by `[redacted]`, also where they stand URL-encoded, JSON-escaped or inside base64 (all three
 * alignments). A secret shorter than 4 characters, or of fewer than 6 digits only, would blot out unrelated text:
 * it is replaced where a value is nothing but that secret.
 */
export class Redactor {
  readonly #secrets = new Set<string>();
  readonly #whole = new Set<string>();
  #pattern: RegExp | undefined;
  #machine: RegExp | undefined;

  /** Empty strings are ignored. Each long line of a secret of several lines counts as a secret too. */
  add(secret: string): void {
    if (secret === '' || this.#secrets.has(secret)) return;
    this.#secrets.add(secret);
    this.#whole.add(secret);
    for (const line of secret.split(/\r?\n/)) if (line !== secret && line.length >= 8) this.add(line);
    this.#pattern = patternOf([...this.#secrets].filter((text) => !isShort(text)));
    this.#machine = patternOf([...this.#secrets].filter((text) => !isShort(text) && !isWord(text)));
  }

  text(text: string): string {
    if (this.#whole.has(text)) return mark;
    return this.#pattern === undefined ? text : text.replace(this.#pattern, mark);
  }

  /**
   * A copy of JSON data without secrets; the same object when there is nothing to hide. Strings, numbers that are a
   * whole secret, and member names are covered, except names of plain letters: those are our own vocabulary.
   */
  value<T>(value: T): T {
    return this.#secrets.size === 0 ? value : (this.#walk(value, true) as T);
  }

  /** The same for data of which numbers are facts of our own (sizes, counts): they stay. */
  prose<T>(value: T): T {
    return this.#secrets.size === 0 ? value : (this.#walk(value, false) as T);
  }

  /**
   * Does this data hold a secret? For data that a machine must read back unchanged. A secret that is a plain word
   * ("postgres") does not count: it also names things, and proves nothing to who reads it.
   */
  holdsSecret(value: unknown): boolean {
    const pattern = this.#machine;
    if (pattern === undefined) return false;
    return JSON.stringify(value).search(pattern) >= 0;
  }

  #walk(value: unknown, numbers: boolean): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return numbers && Math.abs(value) > 999 && this.#whole.has(String(value)) ? mark : value;
    if (Array.isArray(value)) return value.map((item) => this.#walk(item, numbers));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [/^[A-Za-z]+$/.test(key) ? key : this.text(key), this.#walk(member, numbers)]));
  }
}

function isShort(secret: string): boolean {
  return secret.length < 4 || /^\d{1,5}$/.test(secret);
}

function isWord(secret: string): boolean {
  return /^[A-Za-z]{1,12}$/.test(secret);
}

function patternOf(secrets: readonly string[]): RegExp | undefined {
  const forms = new Set(secrets.flatMap(formsOf));
  if (forms.size === 0) return undefined;
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
}

function formsOf(secret: string): string[] {
  const url = percentEncoded(secret);
  const json = JSON.stringify(secret).slice(1, -1);
  return [secret, json, url, url.replace(/%20/g, '+'), url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()), ...base64Forms(secret)];
}

/** A lone surrogate cannot stand in a URL; it becomes U+FFFD there, as URL parsers do it. */
function percentEncoded(secret: string): string {
  return encodeURIComponent(Buffer.from(secret, 'utf8').toString('utf8'));
}

/** What of the secret shows in base64 whatever stands around it, for each of the three places it can start at. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8');
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const core = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
    return core.length < 6 ? [] : [core, core.replace(/\+/g, '-').replace(/\//g, '_')];
  });
}
