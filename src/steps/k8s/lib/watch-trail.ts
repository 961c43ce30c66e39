import { randomUUID } from 'node:crypto';
import type { AuditEvent, AuditReader, AuditSource } from '../../../clients/audit/port.js';
import type { KubernetesCluster } from '../../../clients/kubernetes/port.js';
import type { WatchContext } from '../../../engine/define-watcher.js';
import { messageOf, StepError } from '../../../engine/errors.js';
import { every, type Loop } from '../../postgres/lib/loop.js';
import { collectionOf, toldBy, type AuditedPlace, type Told } from './watch-audit.js';

const markEveryMs = 5_000;
const lookEveryMs = 100;

interface Mark {
  readonly sentAt: string;
  /** As performance.now says it. */
  readonly sentMs: number;
  /** By the API server's clock. */
  seenAt?: string;
}

export interface TrailOptions {
  readonly source: AuditSource;
  /** The cluster whose API server the source is of. */
  readonly cluster: Pick<KubernetesCluster, 'leaveMark' | 'server'>;
  readonly places: readonly AuditedPlace[];
  /** Default 5 s. */
  readonly markEveryMs?: number;
}

/**
 * Who did what, by the audit events of an API server. A log that is silent proves nothing: from before the fault to the end the run leaves
 * marks, requests of its own whose auditID it chooses, and the trail is whole only when the source has told of every one of them.
 */
export class AuditTrail implements AuditReader {
  readonly #marks = new Map<string, Mark>();
  readonly #told: { readonly at: string; readonly told: Told }[] = [];
  readonly #seen = new Set<string>();
  readonly #explained = new Set<string>();
  /** Reasons that are told once each, with how often. */
  readonly #lost = new Map<string, number>();
  #first: Mark | undefined;
  #loop: Loop | undefined;

  constructor(private readonly options: TrailOptions, private readonly ctx: WatchContext) {}

  /** Resolves once the source is known to be alive, where it is not late by minutes. Throws StepError `audit-silent`. */
  async begin(signal: AbortSignal): Promise<void> {
    const { source } = this.options;
    await source.begin(this);
    await this.#mark();
    if (source.delayMs !== null && !(await this.#arrived(source.delayMs, signal))) {
      throw new StepError('audit-silent', `${source.name} does not hold a request that this run made ${Math.round(source.delayMs / 1000)} s ago`, {
        hint: `Is it that of ${this.options.cluster.server}? Does its policy have everything audited that creates? Does --audit-webhook-config-file lead here?`,
      });
    }
    this.#loop = every(this.ctx.clock, this.options.markEveryMs ?? markEveryMs, signal, () => this.#turn(signal));
  }

  /** The last mark: what the trail must reach. Before late events are waited for. */
  async close(): Promise<void> {
    await this.#loop?.stop();
    try {
      await this.#mark();
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      this.ctx.gap(`no mark could be left at the end in ${this.options.source.name}: ${messageOf(error)}`);
    }
  }

  /** After that wait: tells what was done. What could not be told is a gap. `settleMs`: how long was waited. */
  async end(settleMs: number, signal: AbortSignal): Promise<void> {
    const { source } = this.options;
    try {
      if (source.delayMs === null) await source.read();
      else await this.#arrived(source.delayMs, signal);
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      this.ctx.gap(`${source.name} could not be read: ${messageOf(error)}`);
    }
    for (const [detail, times] of this.#lost) this.ctx.gap(`${detail}${times > 1 ? ` (${times} times)` : ''}`);
    this.#judge(settleMs);
    // What was sent late, or is read with a margin, may lie before the drill: the first mark tells, by the API server's own clock if it came.
    const since = this.#first?.seenAt ?? this.#first?.sentAt ?? '';
    for (const { at, told } of this.#told.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))) {
      if (at !== '' && at < since) continue;
      const { observation, explains } = told;
      this.#explained.add(keyOf(observation.system, explains.object, explains.removed));
      this.ctx.observed(observation);
    }
  }

  async stop(): Promise<void> {
    await this.#loop?.stop();
    await this.options.source.end();
  }

  /** Did it tell who changed, or removed, that object? A removal that takes its time changes the object as well. */
  explains(system: string, object: string, removed: boolean): boolean {
    const isTold = (name: string, asRemoved: boolean): boolean => this.#explained.has(keyOf(system, name, asRemoved));
    return isTold(object, true) || isTold(collectionOf(object), true) || (!removed && isTold(object, false));
  }

  event(event: AuditEvent): void {
    const at = event.stageTimestamp ?? event.requestReceivedTimestamp ?? '';
    const mark = this.#marks.get(event.auditID ?? '');
    if (mark !== undefined) mark.seenAt ??= at;
    for (const place of this.options.places) {
      const told = toldBy(event, place, this.ctx.runId);
      if (told !== undefined && this.#isNew(event, place)) this.#told.push({ at, told });
    }
  }

  lost(detail: string): void {
    this.#lost.set(detail, (this.#lost.get(detail) ?? 0) + 1);
  }

  log(line: string): void {
    this.ctx.log(line);
  }

  /** Sources deliver at least once. */
  #isNew({ auditID, stage }: AuditEvent, { system }: AuditedPlace): boolean {
    if (auditID === undefined) return true;
    const key = JSON.stringify([auditID, stage, system]);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    try {
      await this.#mark();
      if (this.options.source.delayMs !== null) await this.options.source.read();
    } catch (error) {
      // Nobody knows whether it arrived: the next one will.
      if (!signal.aborted) this.ctx.log(`no mark could be left in the audit log: ${messageOf(error)}`);
    }
  }

  async #mark(): Promise<void> {
    const id = randomUUID();
    const mark: Mark = { sentAt: this.ctx.clock.now().at, sentMs: performance.now() };
    // A source may tell of it before the API server answers.
    this.#marks.set(id, mark);
    try {
      await this.options.cluster.leaveMark(id);
      this.#first ??= mark;
    } catch (error) {
      this.#marks.delete(id);
      throw error;
    }
  }

  /** Have all marks come? Waits for those that were sent less than `delayMs` ago. */
  async #arrived(delayMs: number, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      await this.options.source.read();
      const missing = this.#missing();
      if (!missing.some(({ sentMs }) => performance.now() - sentMs < delayMs)) return missing.length === 0;
      await this.ctx.clock.sleep(lookEveryMs, signal);
    }
  }

  #missing(): Mark[] {
    return [...this.#marks.values()].filter(({ seenAt }) => seenAt === undefined);
  }

  #judge(settleMs: number): void {
    const { source } = this.options;
    const missing = this.#missing();
    const [first] = missing;
    if (first === undefined) return this.ctx.log(`${source.name} held all ${this.#marks.size} marks of this run`);
    const late = source.delayMs === null ? `; it was read ${Math.round(settleMs / 1000)} s after the last step and is minutes late: a longer \`settle\` may help` : '';
    this.ctx.gap(`${source.name} held ${this.#marks.size - missing.length} of the ${this.#marks.size} requests that this run left in it as marks, the first that is missing of ${first.sentAt}: what it does not hold proves nothing${late}`);
  }
}

function keyOf(system: string, object: string, removed: boolean): string {
  return JSON.stringify([system, object, removed]);
}
