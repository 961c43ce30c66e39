import { dirname, resolve } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../engine/clock.js';
import { DocumentError, UsageError } from '../engine/errors.js';
import { parseDuration } from '../engine/duration.js';
import type { EventDataOf } from '../engine/events.js';
import { createGuard } from '../engine/guard.js';
import { guardPolicy } from '../engine/guard/policy.js';
import { loadEnvironment } from '../engine/load.js';
import { environmentOf } from '../engine/plan.js';
import { existingWorld } from '../engine/preflight.js';
import { Redactor } from '../engine/redact.js';
import { Attribution } from '../engine/watch/attribution.js';
import { watchPolicy, watcherType } from '../engine/watch/policy.js';
import type { ExpectedActor, Profile } from '../engine/watch/profile.js';
import { Watchers } from '../engine/watchers.js';
import { gitFacts } from '../clients/git/facts.js';
import { visible } from '../report/visible.js';
import { bindPorts, sharedAdapters } from './compose.js';
import type { CommandIo } from './io.js';
import { readingScope } from './observe.js';
import { registry } from './registry.generated.js';

export interface WatchOptions {
  readonly environment: string;
  readonly duration: string;
}

type Observed = EventDataOf<'watch.observed'>;

/**
 * `muster watch`: for a time, looks at what the environment's existing systems do without a drill. stdout gets a profile to review
 * and commit, which lets through what the present ones do not; stderr what was seen, and what the present profiles let through.
 * Alters nothing. Throws DocumentError, UsageError and RefusedError.
 */
export async function watch({ environment: path, duration }: WatchOptions, io: CommandIo): Promise<number> {
  const forMs = durationOf(duration);
  const loaded = await loadEnvironment(path, io.cwd);
  const file = resolve(io.cwd, path);
  const environment = await environmentOf({ environment: loaded, registry, cwd: io.cwd }, await gitFacts(file));
  const policy = watchPolicy(environment);
  const names = [...policy.required, ...policy.advisory];
  if (names.length === 0) throw new DocumentError([{ position: loaded.position(['watch']), message: 'the environment names no watcher', expected: 'watch: { required: [postgres, directory], profiles: [postgres] }' }]);
  const { world, checks } = await existingWorld({ environment }, registry, dirname(file));
  for (const { id, detail } of checks) io.stderr(`not watched: ${visible(id)}: ${visible(detail)}\n`);
  if (world.connections.size === 0) throw new UsageError(`every connection of ${path} is made by a drill: there is nothing to watch before one runs`);

  const clock = systemClock();
  const runId = `watch-${process.pid}`;
  const life = new AbortController();
  const guard = createGuard(guardPolicy({ environment, world, ownDirectories: [], protectedDirectories: [], runbookDir: dirname(file) }));
  const bind = bindPorts(sharedAdapters(undefined, new Redactor()));
  const observed: Observed[] = [];
  const watchers = new Watchers({
    runId,
    clock,
    world,
    attribution: new Attribution({ steps: [], probes: [], cleanup: [] }, policy),
    documents: [{ what: 'environment', path: file, sha256: loaded.sha256 }],
    runbookDir: dirname(file),
    boundary: environment.boundary,
    timeoutMs: 120_000,
    graceMs: 10_000,
    ports: (watcher, signal) => bind(readingScope(`watch:${watcher}`, guard, signal, runId), world),
    log: (watcher, line) => io.stderr(`${watcher}: ${visible(line)}\n`),
    append: (type, data) => {
      if (type === 'watch.observed') observed.push(data as Observed);
      if (type === 'watch.gap' || type === 'watch.unseen') io.stderr(`not seen: ${(data as EventDataOf<'watch.gap'>).watcher}: ${visible((data as EventDataOf<'watch.gap'>).detail)}\n`);
      return Promise.resolve();
    },
  });
  const cancel = () => life.abort();
  process.once('SIGINT', cancel);
  try {
    const ready = await Promise.all(names.map(async (name) => ({ name, definition: await registry.watcher(watcherType(name)), input: policy.watchers[name]?.with ?? {}, required: true })));
    await watchers.begin(ready, new AbortController().signal);
    io.stderr(`Watching ${[...world.connections.keys()].join(', ')} for ${duration}; Ctrl-C ends it earlier.\n`);
    await clock.sleep(forMs, life.signal).catch(() => undefined);
    await watchers.end(policy.settleMs);
  } finally {
    process.off('SIGINT', cancel);
    await watchers.stop();
  }
  tell(observed, io);
  return 0;
}

function tell(observed: readonly Observed[], io: CommandIo): void {
  const lines = (which: (data: Observed) => boolean) => observed.filter((data) => !data.ours && which(data)).map((data) => `  ${visible(`${data.watcher}: ${data.object}: ${data.change}${data.actor === null ? '' : ` by ${data.actor}`}${data.allowedBy === null ? '' : ` (${data.allowedBy})`}`)}\n`);
  const part = (title: string, found: readonly string[]) => {
    if (found.length > 0) io.stderr(`${title}\n${[...new Set(found)].join('')}`);
  };
  part('The present profiles let through:', lines(({ allowedBy }) => allowedBy !== null));
  part('Would fail a drill:', lines(({ allowedBy, scope }) => allowedBy === null && scope === 'recovery-path'));
  part('Would be listed only:', lines(({ allowedBy, scope }) => allowedBy === null && scope === 'elsewhere'));
  const expect = proposal(observed);
  if (expect.length === 0) {
    io.stderr('Nothing was seen that the present profiles do not let through.\n');
    return;
  }
  const profile = { apiVersion: 'muster/v1', kind: 'Profile', metadata: { name: 'observed', title: 'Changes seen beside no drill' }, expect } satisfies Profile;
  io.stdout(`# Proposed by muster watch. Review every entry: whatever matches one no longer fails a drill.\n${stringify(profile, { lineWidth: 0 })}`);
}

/** One entry for each actor; what has none is expected by object and change. */
function proposal(observed: readonly Observed[]): ExpectedActor[] {
  const found = new Map<string, ExpectedActor>();
  for (const { ours, allowedBy, actor, object, change, watcher } of observed) {
    if (ours || allowedBy !== null) continue;
    const [, connection, rest = object] = /^([^:]+): (.*)$/s.exec(object) ?? [];
    const system = connection === undefined || watcher !== 'postgres' ? (watcher === 'directory' && connection !== undefined ? `backups:${connection}` : watcher) : `postgres:${connection}`;
    if (actor === null) found.set(`${system} ${object} ${change}`, { name: `${rest}: ${change}`, system, object: `^${literal(rest)}$`, change: `^${literal(change)}$` });
    else found.set(`${system} ${actor}`, { name: `${actor} works here`, system, actor: `^${literal(actor)}$` });
  }
  return [...found.values()];
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new UsageError(`--for takes a duration such as 30s or 10m, found ${visible(text)}`, { cause: error });
  }
}
