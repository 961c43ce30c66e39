import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { bootId, systemClock } from '../src/engine/clock.js';
import { defineStep, type Ports } from '../src/engine/define-step.js';
import type { Runbook } from '../src/engine/documents.js';
import { openJournal } from '../src/engine/journal.js';
import type { Plan, PlanStep } from '../src/engine/plan-document.js';
import { Redactor } from '../src/engine/redact.js';
import type { Registry } from '../src/engine/registry.js';
import { runDrill } from '../src/engine/run.js';
import { strict } from '../src/engine/schema.js';
import { median, type BenchRow } from './row.js';

const none = Type.Object({}, strict);
const noop = defineStep({ type: 'bench.noop', summary: '', input: none, output: none, effect: 'read', changes: () => [], permissions: () => [], evidence: [], examples: [], plan: () => ({ does: '', calls: [] }), run: async () => ({}) });
const missing = (type: string) => Promise.reject(new RangeError(type));
const registry: Registry = { catalog: new Map(), step: async () => noop, probe: missing, provisioner: missing };

/** A drill of steps that do nothing, with a real journal. Milliseconds per step. */
async function engine(dir: string, steps: number): Promise<number> {
  await mkdir(dir);
  const redactor = new Redactor();
  const clock = systemClock();
  const { plan, runbook } = emptyDrill(steps);
  const journal = await openJournal(join(dir, 'journal.jsonl'), { boot: bootId(), redactor });
  const start = performance.now();
  const result = await runDrill({
    runId: 'bench',
    plan,
    runbook,
    runbookDir: dir,
    inputs: {},
    env: {},
    operator: 'bench',
    toolVersion: '0.0.0',
    runDir: dir,
    registry,
    bindPorts: () => ({}) as Partial<Ports> as Ports,
    endpoints: { open: () => missing('endpoint'), close: async () => {} },
    guard: { check: () => {} },
    journal,
    redactor,
    clock,
    signal: new AbortController().signal,
  });
  const took = performance.now() - start;
  await journal.close();
  if (!result.completed) throw new Error('the drill of the benchmark did not complete');
  return took / steps;
}

/** The same lines, each with a write and an fdatasync of its own, and nothing else. */
function bare(path: string, lines: readonly string[], steps: number): number {
  const fd = openSync(path, 'a');
  const start = performance.now();
  for (const line of lines) {
    writeSync(fd, line);
    fdatasyncSync(fd);
  }
  const took = performance.now() - start;
  closeSync(fd);
  return took / steps;
}

function emptyDrill(count: number): { plan: Plan; runbook: Runbook } {
  const ids = Array.from({ length: count }, (_, index) => `step-${index}`);
  const step = (id: string): PlanStep => ({ kind: 'step', id, title: null, phase: 'restore', uses: 'bench.noop', with: {}, effect: 'read', does: '', calls: [], undo: [], changes: [], permissions: [], files: [], timeoutMs: 60_000, totalTimeoutMs: null, attempts: 1, retryDelayMs: 0, gate: false });
  const environment = { name: 'bench', sha256: '', sandbox: true, git: null, runbooks: 'any', stableForMs: 0, connections: {}, endpoints: {}, boundary: {}, forbidden: [], watch: {}, approvals: {} } satisfies Plan['binding']['environment'];
  return {
    plan: {
      schema: 'muster/plan/v1',
      digest: '0'.repeat(64),
      observed: { at: '', checks: [] },
      binding: { rules: 1, tool: '0.0.0', runbook: { name: 'bench', version: '1.0.0', title: '', owner: '', controls: [], sha256: '', git: null }, environment, inputs: {}, objectives: { rtoMs: null, rpoMs: null }, fault: 'planned', probes: [], steps: ids.map(step), cleanup: [], requiredEvidence: [] },
    },
    runbook: { apiVersion: 'muster/v1', kind: 'Runbook', metadata: { name: 'bench', version: '1.0.0', title: 'Bench', owner: 'bench' }, objectives: {}, fault: 'planned', requires: {}, steps: ids.map((id) => ({ id, phase: 'restore', uses: 'bench.noop' })) },
  };
}

/** What a step costs beside the disk, and that the cost does not grow with the runbook. In turn, so that both see the same machine. */
export async function engineBench(rounds = 7, steps = 1_000): Promise<BenchRow[]> {
  const dir = await mkdtemp(join(tmpdir(), 'muster-bench-'));
  const costs: { engine: number; bare: number; long: number }[] = [];
  try {
    await engine(join(dir, 'warm-up'), steps);
    for (let round = 0; round < rounds; round += 1) {
      const run = join(dir, `run-${round}`);
      const ours = await engine(run, steps);
      const lines = (await readFile(join(run, 'journal.jsonl'), 'utf8')).split(/(?<=\n)/);
      const theirs = bare(join(dir, `bare-${round}`), lines, steps);
      costs.push({ engine: ours, bare: theirs, long: await engine(join(dir, `long-${round}`), steps * 4) });
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const perStep = median(costs.map(({ engine: ours, bare: theirs }) => ours / theirs));
  const growth = median(costs.map(({ engine: ours, long }) => long / ours));
  return [
    { name: `${steps} steps that do nothing, per step, against one fdatasync per line`, ratio: perStep, limit: 3, unit: 'x', ok: perStep <= 3 },
    { name: `cost per step of ${steps * 4} steps against ${steps}`, ratio: growth, limit: 1.5, unit: 'x', ok: growth <= 1.5 },
  ];
}
