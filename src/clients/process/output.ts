import { StringDecoder } from 'node:string_decoder';

/** Collects the last `limit` characters of a stream and cuts it into lines. */
export class Output {
  readonly #decoder = new StringDecoder('utf8');
  #kept = '';
  #partial = '';

  constructor(
    private readonly limit: number,
    private readonly onLine: ((line: string) => void) | undefined,
  ) {}

  add(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
  }

  /** The text so far; a last line without a newline is reported now. */
  end(): string {
    this.#take(this.#decoder.end());
    if (this.#partial !== '') this.onLine?.(this.#partial);
    this.#partial = '';
    return this.#kept.slice(-this.limit);
  }

  #take(text: string): void {
    // Twice the limit before cutting: a slice per chunk would copy the whole text each time.
    this.#kept += text;
    if (this.#kept.length > this.limit * 2) this.#kept = this.#kept.slice(-this.limit);
    if (this.onLine === undefined) return;
    const lines = (this.#partial + text).split(/\r?\n/);
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.onLine(line);
    if (this.#partial.length > this.limit) {
      this.onLine(this.#partial);
      this.#partial = '';
    }
  }
}
