/** One question at a time on one terminal: of parallel branches, and of whoever else asks. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(ask: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(ask);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
