import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { muster } from './child.js';

/** Runs a drill of so many steps that do nothing; what its bundle holds. */
export function drillOf(folder: string, steps: number): { bundle: string; run: string; drill: string; plan: string } {
  const list = Array.from({ length: steps }, (_, n) => `  - { id: s${n}, phase: verify, uses: wait, with: { for: "0" } }\n`).join('');
  writeFileSync(join(folder, 'runbook.yaml'), `apiVersion: muster/v1\nkind: Runbook\nmetadata: { name: bench, version: 1.0.0, title: Bench, owner: bench }\nobjectives: {}\nfault: declared\nrequires: {}\nsteps:\n${list}`);
  writeFileSync(join(folder, 'environment.yaml'), 'apiVersion: muster/v1\nkind: Environment\nmetadata: { name: none, sandbox: true }\nconnections: {}\nboundary: {}\nrunbooks: any\n');
  const { MUSTER_KEY: _, ...env } = process.env;
  const { status, stderr } = spawnSync(process.execPath, [muster, 'run', 'runbook.yaml', '--env', 'environment.yaml', '--yes'], { cwd: folder, env: { ...env, MUSTER_STATE_DIR: join(folder, 'state') }, maxBuffer: 2 ** 28 });
  const run = readdirSync(join(folder, 'evidence')).find((each) => /^\d/.test(each));
  if (run === undefined) throw new Error(`the drill of the benchmark left no bundle (${status}): ${stderr.toString().slice(-2000)}`);
  const bundle = join(folder, 'evidence', run);
  const read = (file: string) => readFileSync(join(bundle, 'data', file), 'utf8');
  return { bundle, run, drill: read('drill.json'), plan: read('plan.json') };
}
