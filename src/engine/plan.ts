import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { canonicalJson, sha256 } from './canonical.js';
import type { PlanContext } from './define-step.js';
import { isParallel, type Runbook } from './documents.js';
import { parseDuration } from './duration.js';
import { DocumentError, messageOf } from './errors.js';
import { planConnections } from './plan/environment.js';
import { createRenderer } from './plan/render.js';
import type { GitFacts, PlanRequest } from './plan/request.js';
import { planWatch } from './plan/watch.js';
import { planProbe, planStep, type StepPlanner } from './plan/steps.js';
import type { ResolvedInputs } from './plan/inputs.js';
import type { Plan, PlanBinding, PlanNode } from './plan-document.js';

const defaultStableForMs = 30_000;

/**
 * Resolves everything that can be known before the run. Pure but for reads: it starts nothing and writes nothing.
 * Sensitive inputs are unknown to a plan, so that no secret can stand in it. Throws DocumentError for an input of a
 * step that its rendered form shows to be wrong.
 */
export async function buildPlan(request: PlanRequest): Promise<Plan> {
  const binding = await bindingOf(request);
  return { schema: 'muster/plan/v1', binding, digest: planDigest(binding), observed: { at: new Date().toISOString(), checks: [] } };
}

/** What approvers sign and bundles carry. */
export function planDigest(binding: PlanBinding): string {
  return sha256(canonicalJson(binding));
}

async function bindingOf(request: PlanRequest): Promise<PlanBinding> {
  const { runbook, environment } = request;
  const { metadata, objectives } = runbook.document;
  const context: PlanContext = { ports: request.ports, runbookDir: dirname(resolve(request.cwd, runbook.path)), signal: request.signal };
  const planner: StepPlanner = { registry: request.registry, context, render: createRenderer(request), position: (pointer) => runbook.position([...pointer]) };
  // git answers while the types are loaded that the plan needs.
  const [[runbookGit, environmentGit], planned] = await Promise.all([
    Promise.all([request.git(resolve(request.cwd, runbook.path)), request.git(resolve(request.cwd, environment.path))]),
    contentOf(request, planner),
  ]);
  return {
    rules: 1,
    tool: request.tool,
    runbook: {
      name: metadata.name,
      version: metadata.version,
      title: metadata.title,
      owner: metadata.owner,
      controls: [...(metadata.controls ?? [])],
      sha256: runbook.sha256,
      git: runbookGit,
    },
    environment: await environmentOf(request, environmentGit),
    inputs: knownInputs(request.inputs),
    objectives: { rtoMs: milliseconds(objectives.rto), rpoMs: milliseconds(objectives.rpo) },
    fault: runbook.document.fault,
    ...planned,
    requiredEvidence: [...(runbook.document.evidence?.require ?? [])],
  };
}

async function contentOf({ runbook: { document } }: PlanRequest, planner: StepPlanner): Promise<Pick<PlanBinding, 'probes' | 'steps' | 'cleanup'>> {
  return {
    probes: await inOrder(Object.entries(document.probes ?? {}), ([id, probe]) => planProbe(id, probe, ['probes', id], planner)),
    steps: await inOrder(document.steps, (node, index) => planNode(node, index, planner)),
    cleanup: await inOrder(document.cleanup ?? [], (step, index) => planStep(step, ['cleanup', index], planner)),
  };
}

async function planNode(node: Runbook['steps'][number], index: number, planner: StepPlanner): Promise<PlanNode> {
  if (!isParallel(node)) return planStep(node, ['steps', index], planner);
  const branches = await inOrder(Object.entries(node.parallel), async ([name, steps]) => [name, await inOrder(steps, (step, at) => planStep(step, ['steps', index, 'parallel', name, at], planner))] as const);
  return { kind: 'parallel', branches: Object.fromEntries(branches) };
}

/** The environment's part of a plan; `git`: of its file. */
export async function environmentOf(request: Pick<PlanRequest, 'environment' | 'registry' | 'cwd'>, git: GitFacts): Promise<PlanBinding['environment']> {
  const { environment, registry } = request;
  const { document, sha256 } = environment;
  return {
    name: document.metadata.name,
    sha256,
    sandbox: document.metadata.sandbox ?? false,
    git,
    runbooks: document.runbooks ?? 'committed',
    stableForMs: milliseconds(document.stableFor) ?? defaultStableForMs,
    connections: await planConnections(document.connections, registry),
    endpoints: Object.fromEntries(
      Object.entries(document.endpoints ?? {}).map(([name, { provision, to, host, port }]) => [name, { provision, to: to ?? null, host: host ?? null, port: port ?? null }]),
    ),
    boundary: document.boundary,
    forbidden: [...(document.forbidden ?? [])],
    watch: await planWatch(request),
    approvals: await approvalsOf(request),
    ...(document.production === undefined ? {} : { production: document.production }),
  };
}

/** The allowed signers are part of what is approved: whoever could exchange them could approve in anybody's name. */
async function approvalsOf({ environment, cwd }: Pick<PlanRequest, 'environment' | 'cwd'>): Promise<PlanBinding['environment']['approvals']> {
  const { allowedSigners, ...approvals } = environment.document.approvals ?? { required: 0 };
  if (allowedSigners === undefined) return approvals;
  const path = resolve(cwd, dirname(environment.path), allowedSigners);
  try {
    return { ...approvals, allowedSigners: { path: allowedSigners, sha256: sha256(await readFile(path)) } };
  } catch (error) {
    throw new DocumentError([{ position: environment.position(['approvals', 'allowedSigners']), message: `cannot read the allowed signers: ${messageOf(error)}`, hint: "the path starts at the environment's folder" }]);
  }
}

function knownInputs(inputs: ResolvedInputs): Record<string, unknown> {
  return Object.fromEntries(Object.entries(inputs.values).map(([name, value]) => [name, inputs.sensitive.includes(name) ? { unknown: `inputs.${name}` } : value]));
}

function milliseconds(duration: string | undefined): number | null {
  return duration === undefined ? null : parseDuration(duration);
}

/** One after the other: the plan's order is the document's, and an error is the first one. */
async function inOrder<T, R>(items: readonly T[], each: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const [index, item] of items.entries()) results.push(await each(item, index));
  return results;
}
