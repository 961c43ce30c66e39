import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/engine/package-root.js';
import type { Drill } from '../../src/engine/drill.js';
import type { DrillEvent } from '../../src/engine/events.js';
import { parseJournal } from '../../src/engine/journal.js';

export const runbook = join(packageRoot(), 'test/cli/fixtures/commands.yaml');
export const environment = join(packageRoot(), 'test/cli/fixtures/environment.yaml');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with its own state directory, from which the real command is run. */
export class Place {
  readonly cwd = mkdtempSync(join(tmpdir(), 'muster-cli-'));
  readonly state = join(this.cwd, 'state');
  readonly #children: ChildProcess[] = [];

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
    const child = spawn(process.execPath, [join(packageRoot(), 'bin/muster.js'), ...args], {
      cwd: this.cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: this.cwd, MUSTER_STATE_DIR: this.state, MUSTER_INPUT_token: 'nothing-secret', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    return new Started(child);
  }

  /** On a terminal; `type` and `hangUp` work it. */
  terminal(args: readonly string[]): OnTerminal {
    const child = spawn('python3', [join(packageRoot(), 'test/cli/on-terminal.py'), process.execPath, join(packageRoot(), 'bin/muster.js'), ...args], {
      cwd: this.cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: this.cwd, MUSTER_STATE_DIR: this.state, TERM: 'xterm', NO_COLOR: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    return new OnTerminal(child);
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }

  drill(...more: string[]): string[] {
    return ['run', runbook, '--env', environment, ...more];
  }

  /** Runs that still have state. */
  runs(): string[] {
    return readdirSync(join(this.state, 'runs'));
  }

  bundles(): string[] {
    return readdirSync(join(this.cwd, 'evidence')).filter((name) => !name.startsWith('.'));
  }

  drillOf(bundle: string): Drill {
    return JSON.parse(readFileSync(join(this.cwd, 'evidence', bundle, 'data/drill.json'), 'utf8')) as Drill;
  }

  verdict(bundle: string): string {
    return this.drillOf(bundle).verdict;
  }

  events(bundle: string): readonly DrillEvent[] {
    return parseJournal(readFileSync(join(this.cwd, 'evidence', bundle, 'data/events.jsonl'), 'utf8')).events;
  }

  async remove(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.cwd, { recursive: true, force: true });
  }
}

export class Started {
  readonly ended: Promise<Ended>;
  readonly #events: DrillEvent[] = [];
  readonly #seen = new Set<() => void>();

  constructor(readonly child: ChildProcess) {
    let stdout = '';
    let stderr = '';
    if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{"seq":')) return;
      this.#events.push(JSON.parse(line) as DrillEvent);
      for (const seen of this.#seen) seen();
    });
    this.ended = once(child, 'close').then(([code]: unknown[]) => ({ code: typeof code === 'number' ? code : null, stdout, stderr }));
  }

  /** With --json: resolves to the first event that fits; rejects when the command ends without one. */
  event(fits: (event: DrillEvent) => boolean): Promise<DrillEvent> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.#events.find(fits);
        if (found === undefined) return;
        this.#seen.delete(look);
        resolve(found);
      };
      this.#seen.add(look);
      void this.ended.then(({ stderr }) => reject(new Error(`the command ended first: ${stderr}`)));
      look();
    });
  }
}

/** A command on a terminal. Its screen is what was written to it so far. */
export class OnTerminal {
  readonly ended: Promise<{ readonly code: number | null; readonly screen: string }>;
  #screen = '';
  #looked = 0;
  readonly #seen = new Set<() => void>();

  constructor(private readonly child: ChildProcess) {
    if (child.stdout === null) throw new Error('no pipes');
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#screen += text;
      for (const seen of this.#seen) seen();
    });
    this.ended = once(child, 'close').then(([code]: unknown[]) => ({ code: typeof code === 'number' ? code : null, screen: this.#screen }));
  }

  /** Resolves once `text` was shown after what was waited for before; rejects when the command ends without it. */
  shows(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const at = this.#screen.indexOf(text, this.#looked);
        if (at < 0) return;
        this.#looked = at + text.length;
        this.#seen.delete(look);
        resolve();
      };
      this.#seen.add(look);
      void this.ended.then(({ screen }) => reject(new Error(`the command ended without showing ${JSON.stringify(text)}: ${screen}`)));
      look();
    });
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  hangUp(): void {
    this.child.stdin?.end();
  }
}
