import type { Ec2, Snapshot, Volume } from '../../../clients/ec2/port.js';
import type { TrailEvent } from '../../../clients/aws/port.js';
import { canonicalJson } from '../../../engine/canonical.js';
import type { Observation, WatchContext } from '../../../engine/define-watcher.js';
import { StepError, messageOf } from '../../../engine/errors.js';
import { runTag } from '../../../engine/mark.js';

type Facts = Readonly<Record<string, unknown>>;

interface Seen {
  readonly facts: Facts;
  /** Made by this run, as its tag says. */
  readonly ours: boolean;
  /** Made by a lifecycle policy. */
  readonly policy: string | undefined;
}

/** Who the schedule is, for profiles: `dlm policy-0123`. */
const policyTag = 'aws:dlm:lifecycle-policy-id';
/** Late by about five minutes, says Amazon, and never promised to be whole. */
const trailLagMs = 300_000;

/** Volumes and snapshots of one connection, compared with what they were. */
export class Watched {
  readonly #system: string;
  readonly #ec2: Ec2;
  #before: ReadonlyMap<string, Seen> = new Map();
  #lookedAt = '';
  #began = '';
  #looking: Promise<void> = Promise.resolve();
  #blind: string | undefined;

  constructor(private readonly connection: string, private readonly scope: Observation['scope'], private readonly volumes: readonly string[], private readonly ctx: WatchContext) {
    this.#system = `aws:${connection}`;
    this.#ec2 = ctx.ports.ec2.of(connection);
  }

  async begin(): Promise<void> {
    this.#began = this.#lookedAt = this.ctx.clock.now().at;
    this.#before = await this.#state();
  }

  /** One comparison at a time. An answer that could not be had is made up for by the next; never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      const since = this.#lookedAt;
      const at = this.ctx.clock.now().at;
      let now: ReadonlyMap<string, Seen>;
      try {
        now = await this.#state();
      } catch (error) {
        this.#blind = messageOf(error);
        return;
      }
      this.#blind = undefined;
      this.#lookedAt = justAfter(at);
      this.#compare(now, since);
      this.#before = now;
    });
    return this.#looking;
  }

  /** Resolves to how many objects were compared. */
  async end(settleMs: number): Promise<number> {
    await this.look();
    if (this.#blind !== undefined) {
      this.ctx.gap(`${this.connection}: the state at the end could not be compared: ${this.#blind}`);
      return 0;
    }
    await this.#trail(settleMs);
    return Math.max(1, this.#before.size);
  }

  async #state(): Promise<Map<string, Seen>> {
    const { key, value } = this.#ec2.details.tag;
    const tags = { [key]: value };
    const [volumes, snapshots] = [await this.#ec2.volumes({ tags }), await this.#ec2.snapshots({ tags })];
    const more: Volume[] = [];
    for (const id of this.volumes.filter((each) => !volumes.some((volume) => volume.id === each))) {
      const found = await this.#ec2.volume(id);
      if (found !== undefined) more.push(found);
    }
    return new Map([...[...volumes, ...more].map((volume) => [`volume ${volume.id}`, seenVolume(volume, this.ctx.runId)] as const), ...snapshots.map((snapshot) => [`snapshot ${snapshot.id}`, seenSnapshot(snapshot, this.ctx.runId)] as const)]);
  }

  #compare(now: ReadonlyMap<string, Seen>, since: string): void {
    for (const [object, { ours, policy }] of now) {
      if (this.#before.has(object)) continue;
      this.#observed({ object, change: 'created', proof: ours ? 'ours' : policy === undefined ? 'none' : 'another', actor: policy === undefined ? null : `dlm ${policy}`, since });
    }
    for (const [object, { facts, ours }] of this.#before) {
      const after = now.get(object);
      if (after === undefined) {
        this.#observed({ object, change: 'deleted, or its tag of the boundary taken away', proof: ours ? 'ours' : 'none', actor: null, since });
        continue;
      }
      for (const [fact, before] of Object.entries(facts)) {
        if (canonicalJson(before) !== canonicalJson(after.facts[fact])) this.#observed({ object, change: `${fact} changed`, before, after: after.facts[fact], proof: 'none', actor: null, since });
      }
    }
  }

  #observed(seen: Omit<Observation, 'system' | 'scope'>): void {
    this.ctx.observed({ system: this.#system, scope: this.scope, ...seen });
  }

  /** CloudTrail says who. What it does not hold (yet) proves nothing. */
  async #trail(settleMs: number): Promise<void> {
    let events: readonly TrailEvent[] | undefined;
    try {
      events = await this.ctx.ports.aws.trail(this.connection, new Date(this.#began));
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      this.ctx.unseen(`CloudTrail of ${this.connection} could not be read (${messageOf(error)}): calls that left no trace in the state of volumes and snapshots, and who made those that did`);
      return;
    }
    if (events === undefined) {
      this.ctx.unseen(`the endpoint of ${this.connection} has no CloudTrail: calls that left no trace in the state of volumes and snapshots, and who made those that did`);
      return;
    }
    const objects = new Set([...this.#before.keys()].map((object) => object.slice(object.indexOf(' ') + 1)));
    for (const { at, action, actor, resources, ours, failed } of events) {
      const [id] = resources.filter((name) => objects.has(name));
      if (failed || id === undefined) continue;
      this.#observed({ object: `${id.startsWith('snap-') ? 'snapshot' : 'volume'} ${id}`, change: `call ${action}`, actor, at, proof: ours ? 'ours' : actor === null ? 'none' : 'another' });
    }
    if (settleMs < trailLagMs) this.ctx.unseen(`CloudTrail of ${this.connection} was read ${Math.round(settleMs / 1000)} s after the last step and held ${events.length} calls; it is about 5 minutes late and not promised to be whole, so what it does not hold proves nothing`);
  }
}

/** A look that a step's end brought about may begin in the millisecond in which that step ended: what it did not see came after. */
function justAfter(at: string): string {
  return new Date(Date.parse(at) + 1).toISOString();
}

function seenVolume({ state, sizeGiB, type, tags, attachments }: Volume, runId: string): Seen {
  const gone = state === 'error' ? { state } : {};
  // `creating` and `in-use` follow from what is compared already.
  return { facts: { ...gone, sizeGiB, type, tags, attachments: attachments.filter((each) => each.state !== 'detached').map(({ instance, device }) => `${instance} ${device}`).toSorted() }, ours: tags[runTag] === runId, policy: undefined };
}

function seenSnapshot({ tags, tier }: Snapshot, runId: string): Seen {
  return { facts: { tags, tier }, ours: tags[runTag] === runId, policy: tags[policyTag] };
}
