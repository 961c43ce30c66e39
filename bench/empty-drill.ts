import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId, systemClock } from '../src/engine/clock.js';
import type { Ports, StepDefinition } from '../src/engine/define-step.js';
import type { Runbook } from '../src/engine/documents.js';
import { openJournal } from '../src/engine/journal.js';
import type { Plan, PlanStep } from '../src/engine/plan-document.js';
import { Redactor } from '../src/engine/redact.js';
import type { Registry } from '../src/engine/registry.js';
import type { DrillRequest } from '../src/engine/run.js';
import { runDrill } from '../src/engine/run.js';

const missing = (type: string) => Promise.reject(new RangeError(type));

/** The same step again and again, with a real journal in `dir`/journal.jsonl. Milliseconds per step. */
export async function drillOf(dir: string, count: number, step: StepDefinition, input: Record<string, unknown>, bindPorts: DrillRequest['bindPorts'] = () => ({}) as Partial<Ports> as Ports): Promise<number> {
  await mkdir(dir);
  const registry: Registry = { catalog: new Map(), step: async () => step, probe: missing, provisioner: missing, watcher: missing };
  const redactor = new Redactor();
  const { plan, runbook } = documents(count, step.type, input);
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
    bindPorts,
    endpoints: { open: () => missing('endpoint'), close: async () => {} },
    guard: { check: () => {} },
    journal,
    redactor,
    clock: systemClock(),
    signal: new AbortController().signal,
  });
  const took = performance.now() - start;
  await journal.close();
  if (!result.completed) throw new Error('the drill of the benchmark did not complete');
  return took / count;
}

function documents(count: number, uses: string, input: Record<string, unknown>): { plan: Plan; runbook: Runbook } {
  const ids = Array.from({ length: count }, (_, index) => `step-${index}`);
  const step = (id: string): PlanStep => ({ kind: 'step', id, title: null, phase: 'restore', uses, with: input, effect: 'read', does: '', calls: [], undo: [], changes: [], permissions: [], files: [], timeoutMs: 60_000, totalTimeoutMs: null, attempts: 1, retryDelayMs: 0, gate: false });
  const environment = { name: 'bench', sha256: '', sandbox: true, git: null, runbooks: 'any', stableForMs: 0, connections: {}, endpoints: {}, boundary: {}, forbidden: [], watch: {}, approvals: {} } satisfies Plan['binding']['environment'];
  return {
    plan: {
      schema: 'muster/plan/v1',
      digest: '0'.repeat(64),
      observed: { at: '', checks: [] },
      binding: { rules: 1, tool: '0.0.0', runbook: { name: 'bench', version: '1.0.0', title: '', owner: '', controls: [], sha256: '', git: null }, environment, inputs: {}, objectives: { rtoMs: null, rpoMs: null }, fault: 'planned', probes: [], steps: ids.map(step), cleanup: [], requiredEvidence: [] },
    },
    runbook: { apiVersion: 'muster/v1', kind: 'Runbook', metadata: { name: 'bench', version: '1.0.0', title: 'Bench', owner: 'bench' }, objectives: {}, fault: 'planned', requires: {}, steps: ids.map((id) => ({ id, phase: 'restore', uses, with: input })) },
  };
}
