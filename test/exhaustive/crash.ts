import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { processesWith } from '../../src/clients/process/identity.js';
import type { Drill } from '../../src/engine/drill.js';
import { sampleTypes, type DrillEvent, type EventType } from '../../src/engine/events.js';
import { parseJournal } from '../../src/engine/journal.js';
import { packageRoot } from '../../src/engine/package-root.js';

/** Where the drill dies: after a line of its journal by number, or after the first of a type, or of a type and a step. */
export type Point = number | EventType | `${EventType} ${string}`;
/** What the operator then does first. */
export type Answer = 'resume' | 'cleanup';

const root = packageRoot();
const isSample = (type: EventType) => (sampleTypes as readonly string[]).includes(type);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A state and evidence directory of its own, and the PITR drill in it. */
export class CrashSite {
  readonly dir = mkdtempSync(join(tmpdir(), 'muster-crash-'));

  /** Ends with what a whole drill writes: its journal's lines that are no samples, and the types of samples that it has. */
  async points(): Promise<Point[]> {
    const { stdout, stderr, code } = await this.#drill({});
    expect(code, stderr).toBe(0);
    const events = linesOf(stdout);
    const lines = events.filter(({ type }) => !isSample(type)).length;
    return [...Array.from({ length: lines }, (_, index) => index + 1), ...sampleTypes.filter((type) => events.some((event) => event.type === type))];
  }

  /** Kills the drill at `point`; after what the operator does about it nothing of it is left, and nothing reads as passed that was not. */
  async dieAndRecover(point: Point, answer: Answer): Promise<void> {
    const { stdout, stderr } = await this.#drill({ KILL_AT: String(point) });
    const before = linesOf(stdout);
    const [run = ''] = readdirSync(join(this.dir, 'state/runs'));
    expect(run, `the drill was not killed at ${point}: ${stderr}`).not.toBe('');
    expect((await this.#muster('ps')).stdout).toMatch(new RegExp(`^${run} +interrupted`));
    const journal = join(this.dir, 'state/runs', run, 'journal.jsonl');

    if (answer === 'resume') {
      const asItWas = readFileSync(journal);
      const resumed = await this.#muster('resume', run, '--yes');
      if (resumed.code === 3) {
        expect(resumed.stderr).toMatch(/cannot be continued/);
        expect(readFileSync(journal).equals(asItWas), 'a refused resume changed the journal').toBe(true);
      } else {
        expect([0, 1], `resume: ${resumed.stderr}`).toContain(resumed.code);
        await this.#nothingLeft(run, before);
        if (!resumed.stderr.includes('No step of this run is left')) this.#completed(run);
      }
    }
    const cleaned = await this.#muster('cleanup', run);
    expect(cleaned.code, cleaned.stderr + cleaned.stdout).toBe(0);
    expect((await this.#muster('cleanup', run)).code).toBe(0);
    await this.#nothingLeft(run, before);
    await this.#honest(run);
    rmSync(join(this.dir, 'evidence', run), { recursive: true });
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The gap is all that a run which could be continued lacks. */
  #completed(run: string): void {
    const { verdict, steps, reasons } = JSON.parse(readFileSync(join(this.dir, 'evidence', run, 'data/drill.json'), 'utf8')) as Drill;
    expect(steps.filter(({ status }) => status !== 'succeeded').map(({ id, error }) => [id, error])).toEqual([]);
    expect(['passed', 'incomplete'], JSON.stringify(reasons)).toContain(verdict);
  }

  /** The bundle is sound, and passed only if nothing was missing when the process died. */
  async #honest(run: string): Promise<void> {
    const bundle = join(this.dir, 'evidence', run);
    const verified = await this.#muster('verify', bundle);
    expect(verified.code, verified.stdout + verified.stderr).toBe(0);
    const { verdict } = JSON.parse(readFileSync(join(bundle, 'data/drill.json'), 'utf8')) as { verdict: string };
    if (verdict !== 'passed') return;
    const { events } = parseJournal(readFileSync(join(bundle, 'data/events.jsonl'), 'utf8'));
    const takenOver = events.findIndex(({ type }) => type === 'run.resumed');
    const verification = events.findIndex(({ type }) => type === 'verification.ended');
    expect(takenOver < 0 || (verification >= 0 && verification < takenOver), 'a drill whose verification was interrupted passed').toBe(true);
  }

  async #nothingLeft(run: string, events: readonly DrillEvent[]): Promise<void> {
    // Servers bear the mark too. Their ports are not tried: another program may have them by now.
    expect(await processesWith([`MUSTER_RUN=${run}`]), 'processes').toEqual([]);
    expect(readdirSync(join(this.dir, 'state/runs')), 'state').toEqual([]);
    expect(readdirSync(join(this.dir, 'state/locks')), 'locks').toEqual([]);
    expect(readdirSync(tmpdir()).filter((name) => name.includes(run)), 'temporary folders').toEqual([]);
    expect(readdirSync(join(this.dir, 'evidence')).filter((name) => name.startsWith('.')), 'unfinished bundles').toEqual([]);
    for (const event of events) {
      if (event.type === 'cleanup.deferred') for (const path of Object.values(event.data.with)) if (typeof path === 'string' && path.startsWith('/')) expect(existsSync(path), path).toBe(false);
    }
  }

  #drill(env: Readonly<Record<string, string>>): Promise<Ended> {
    const environment = join(root, 'runbooks/environments/sandbox.yaml');
    const preload = env['KILL_AT'] === undefined ? [] : ['--import', join(root, 'test/exhaustive/kill.mjs')];
    return this.#node([...preload, join(root, 'bin/muster.js'), 'run', join(root, 'runbooks/pitr-restore.yaml'), '--env', environment, '--set', 'rows=1000', '--evidence-dir', join(this.dir, 'evidence'), '--json', '--yes'], env);
  }

  #muster(...args: string[]): Promise<Ended> {
    return this.#node([join(root, 'bin/muster.js'), ...args]);
  }

  async #node(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const child = spawn(process.execPath, args, { cwd: this.dir, env: { PATH: process.env['PATH'] ?? '', HOME: this.dir, MUSTER_STATE_DIR: join(this.dir, 'state'), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }
}

function linesOf(stdout: string): DrillEvent[] {
  return stdout.split('\n').flatMap((line) => (line.startsWith('{"seq"') && line.endsWith('}') ? [JSON.parse(line) as DrillEvent] : []));
}

/** Numbers from 0 up to `below`, the same for the same seed (a linear congruential generator; Numerical Recipes). */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
