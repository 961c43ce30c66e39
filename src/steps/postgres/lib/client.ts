import type { PostgresSession } from '../../../clients/postgres/port.js';
import type { Clock } from '../../../engine/define-step.js';
import { endsSession } from './sql-errors.js';

/** No answer in time, which for a client is the same as no service. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** Rejects with NoAnswer after `ms`, without waiting for `work` any longer. */
async function within<T>(clock: Clock, ms: number, message: string, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = clock.sleep(ms, timer.signal).then(() => {
    throw new NoAnswer(message);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}

/**
 * A client as applications have one: it keeps its connection, and after a loss or a missed deadline makes a new one
 * on its next call. One call at a time.
 */
export class Client {
  #session: PostgresSession | undefined;
  readonly #open: () => Promise<PostgresSession>;
  readonly #clock: Clock;
  readonly #ready: (session: PostgresSession) => Promise<void>;

  /** `ready` runs on each new connection before anything else. */
  constructor(clock: Clock, open: () => Promise<PostgresSession>, ready: (session: PostgresSession) => Promise<void> = async () => undefined) {
    this.#clock = clock;
    this.#open = open;
    this.#ready = ready;
  }

  /** Connected within `ms`, or throws. */
  async connect(ms: number): Promise<void> {
    if (this.#session !== undefined) return;
    let session: PostgresSession | undefined;
    let abandoned = false;
    const opening = (async () => {
      session = await this.#open();
      if (abandoned) await session.close();
      else await this.#ready(session);
    })();
    try {
      await within(this.#clock, ms, `no connection within ${ms} ms`, opening);
      this.#session = session;
    } catch (error) {
      abandoned = true;
      opening.catch(() => undefined);
      void session?.close().catch(() => undefined);
      throw error;
    }
  }

  /** Runs `work` on the connection; connecting and work together take at most `ms`. */
  async run<T>(ms: number, work: (session: PostgresSession) => Promise<T>): Promise<T> {
    const started = performance.now();
    await this.connect(ms);
    const session = this.#session;
    if (session === undefined) throw new NoAnswer('not connected');
    const working = work(session);
    try {
      return await within(this.#clock, Math.max(1, ms - (performance.now() - started)), `no answer within ${ms} ms`, working);
    } catch (error) {
      working.catch(() => undefined);
      if (endsSession(error)) this.drop();
      throw error;
    }
  }

  /** Forgets the connection without waiting for its end. */
  drop(): void {
    const session = this.#session;
    this.#session = undefined;
    void session?.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close().catch(() => undefined);
  }
}
