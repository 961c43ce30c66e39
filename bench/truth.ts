import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Environment } from '../src/engine/documents.js';
import { parseDuration } from '../src/engine/duration.js';
import type { DrillEvent } from '../src/engine/events.js';
import { demo, demoRunbook, sandbox, sandboxWatching } from './demo.js';
import { inFolder } from './folder.js';
import type { Observed } from './observer.js';
import { median, type BenchRow } from './row.js';

const drills = 10;
/** Of the probe `availability` in the demo's runbook. */
const interval = '200ms';
const program = fileURLToPath(new URL('observer.js', import.meta.url));

/** What drill.json says about the outage against what another process saw that looks forty times as often. */
export async function truth(): Promise<BenchRow[]> {
  const differences = await inFolder(async (folder) => {
    const environment = await environmentWithObserver(folder);
    const found: number[] = [];
    for (let round = 0; round < drills; round += 1) found.push(await difference(folder, environment));
    return found;
  });
  return [{ name: `outage in drill.json against an observer's, of ${drills} drills`, measured: median(differences), limit: parseDuration(interval) + 20, unit: 'ms' }];
}

/** The sandbox watches for changes that no step made; this one it is told of. */
async function environmentWithObserver(folder: string): Promise<string> {
  const profile = { apiVersion: 'muster/v1', kind: 'Profile', metadata: { name: 'observer', title: 'The observer of the benchmark' }, expect: [{ name: 'The observer writes', system: 'postgres', object: '^table bench_observer$' }] };
  await writeFile(join(folder, 'observer.yaml'), stringify(profile));
  const { watch } = parse(await readFile(sandbox, 'utf8')) as Environment;
  return sandboxWatching(folder, { ...watch, profiles: [...(watch?.profiles ?? []), './observer.yaml'] });
}

async function difference(folder: string, environment: string): Promise<number> {
  const watch = new Watch();
  try {
    const { drill } = await demo(folder, demoRunbook, { environment, json: true, onLine: (line) => watch.event(JSON.parse(line) as DrillEvent) });
    const { outageMs } = await watch.observed();
    const { restoredMs, firstFailedMs } = drill.rto;
    if (drill.verdict !== 'passed' || restoredMs === null || firstFailedMs === null || outageMs === null) throw new Error(`no outage to compare: ${drill.verdict}, ${restoredMs}, ${firstFailedMs}, ${outageMs}`);
    return Math.abs(restoredMs - firstFailedMs - outageMs);
  } finally {
    watch.end();
  }
}

/** Follows the journal: knows the endpoint from `endpoint.opened`, looks at it from the first probe's start to the end of the verification. */
class Watch {
  /** Holds the password of the drill's own servers. */
  #passFile = '';
  #address: readonly [string, string] | undefined;
  #observer: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #said = Promise.resolve('');

  event(event: DrillEvent): void {
    if (event.type === 'connection.provisioned' && typeof event.data.details['passFile'] === 'string') this.#passFile = event.data.details['passFile'];
    if (event.type === 'endpoint.opened') this.#address = [event.data.host, String(event.data.port)];
    if (event.type === 'probe.started' && this.#observer === undefined && this.#address !== undefined) {
      const observer = spawn(process.execPath, [program, ...this.#address, 'orders'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PGPASSFILE: this.#passFile } });
      this.#observer = observer;
      this.#said = new Promise((resolve) => {
        let text = '';
        observer.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        observer.once('close', () => resolve(text));
      });
    }
    if (event.type === 'verification.ended') this.end();
  }

  end(): void {
    this.#observer?.stdin.end();
  }

  async observed(): Promise<Observed> {
    return JSON.parse(await this.#said) as Observed;
  }
}
