import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Environment, Runbook } from '../src/engine/documents.js';
import type { Drill } from '../src/engine/drill.js';
import { packageRoot } from '../src/engine/package-root.js';
import { muster, runNodeWithPeak, type ChildOptions, type Ended } from './child.js';

export const demoRunbook = join(packageRoot(), 'runbooks', 'pitr-restore.yaml');
export const sandbox = join(packageRoot(), 'runbooks', 'environments', 'sandbox.yaml');

export interface DemoRun extends Ended {
  readonly drill: Drill;
}

/** The demo drill as a user starts it, with state and evidence below `folder`. `ok`: see ChildOptions. */
export async function demo(folder: string, runbook: string, options: Pick<ChildOptions, 'ok' | 'onLine'> & { readonly environment?: string; readonly json?: boolean } = {}): Promise<DemoRun> {
  const evidence = join(folder, 'evidence');
  const args = [muster, 'run', runbook, '--env', options.environment ?? sandbox, '--evidence-dir', evidence, ...(options.json === true ? ['--json'] : [])];
  const before = new Set(await readdir(evidence).catch(() => []));
  const ended = await runNodeWithPeak(folder, args, { ...options, env: { MUSTER_STATE_DIR: join(folder, 'state') } });
  const bundle = (await readdir(evidence)).find((name) => !before.has(name));
  if (bundle === undefined) throw new Error(`the drill left no bundle: ${ended.stderr}`);
  return { ...ended, drill: JSON.parse(await readFile(join(evidence, bundle, 'data', 'drill.json'), 'utf8')) as Drill };
}

/** The demo's runbook without its probes, and without the step that waits for one. */
export async function withoutProbes(folder: string): Promise<string> {
  const { probes, ...runbook } = parse(await readFile(demoRunbook, 'utf8')) as Runbook;
  const named = new Set(Object.keys(probes ?? {}));
  const steps = runbook.steps.filter((step) => !('with' in step && typeof step.with?.['probe'] === 'string' && named.has(step.with['probe'])));
  const path = join(folder, 'without-probes.yaml');
  await writeFile(path, stringify({ ...runbook, steps }));
  return path;
}

/** The sandbox with another `watch`, or with nothing that watches. */
export async function sandboxWatching(folder: string, watch: Environment['watch']): Promise<string> {
  const { watch: _, ...environment } = parse(await readFile(sandbox, 'utf8')) as Environment;
  const path = join(folder, 'sandbox.yaml');
  await writeFile(path, stringify({ ...environment, ...(watch === undefined ? {} : { watch }) }));
  return path;
}
