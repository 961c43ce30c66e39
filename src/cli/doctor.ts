import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../engine/errors.js';
import { loadEnvironment } from '../engine/load.js';
import { toolVersion } from '../engine/package-root.js';
import { environmentOf, planDigest } from '../engine/plan.js';
import type { ObservedCheck, Plan } from '../engine/plan-document.js';
import { Redactor } from '../engine/redact.js';
import { findProgram } from '../clients/process/which.js';
import { npmBinaries, versionOf } from '../clients/provision/lib/binaries.js';
import { checkLines } from '../report/plan-checks.js';
import { createStyle, wantsColour } from '../report/style.js';
import { storeChecks } from './evidence-store.js';
import type { CommandIo } from './io.js';
import { addKnownSecrets } from './known-secrets.js';
import { look } from './observe.js';
import { registry } from './registry.generated.js';
import { stateDir } from './state.js';

export interface DoctorOptions {
  readonly environment: string | undefined;
  readonly json: boolean;
}

type Found = Omit<ObservedCheck, 'step' | 'id'>;

/** `muster doctor`: 0 when nothing failed, 1 when something did. What is optional and missing could not run. */
export async function doctor(options: DoctorOptions, io: CommandIo): Promise<number> {
  const checks = [...(await machine(io)), ...(options.environment === undefined ? [] : await environment(options.environment, io))];
  if (options.json) io.stdout(`${JSON.stringify({ checks }, null, 2)}\n`);
  else io.stdout(`${checkLines(checks, createStyle(wantsColour(process.stdout.isTTY, io.env)), { passed: true }).join('\n')}\n`);
  return checks.some(({ result }) => result === 'failed') ? 1 : 0;
}

async function machine(io: CommandIo): Promise<ObservedCheck[]> {
  const own = async (id: string, work: () => Promise<Found>): Promise<ObservedCheck> => ({ id: `this machine: ${id}`, step: null, ...(await work().catch((error: unknown): Found => ({ result: 'failed', detail: messageOf(error) }))) });
  return [
    await own('Node.js', () => Promise.resolve(nodeVersion(process.versions.node))),
    await own('git', async () => ({ result: 'passed', detail: await says('git', ['--version']) })),
    await own('ssh-keygen', () => program('ssh-keygen', 'keys are made, and approvals and seals checked, with it', io)),
    await own('PostgreSQL from npm', async () => {
      const binDir = join(npmBinaries(), 'bin');
      return { result: 'passed', detail: `PostgreSQL ${await versionOf(binDir, { uid: null, gid: null })} in ${binDir}` };
    }),
    await own('state directory', () => writable(stateDir(io.env, io.cwd))),
    await own('Chromium (optional, for reports as PDF)', async () => {
      for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
        const found = await findProgram(name, '/', io.env['PATH']);
        if (found !== undefined) return { result: 'passed', detail: found };
      }
      return { result: 'could-not-run', detail: 'not on PATH' };
    }),
  ];
}

function nodeVersion(version: string): Found {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 20 || (major === 20 && minor >= 19) ? { result: 'passed', detail: version } : { result: 'failed', detail: `${version}; 20.19 or later is needed` };
}

async function program(name: string, why: string, io: CommandIo): Promise<Found> {
  const found = await findProgram(name, '/', io.env['PATH']);
  return found === undefined ? { result: 'failed', detail: `not on PATH; ${why}` } : { result: 'passed', detail: found };
}

async function says(command: string, args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, [...args], { timeout: 10_000 })).stdout.trim();
}

/** The nearest folder above that is there decides; nothing is made. */
async function writable(folder: string): Promise<Found> {
  let at = folder;
  while ((await stat(at).catch(() => undefined)) === undefined) at = dirname(at);
  await access(at, constants.W_OK | constants.X_OK);
  return { result: 'passed', detail: at === folder ? folder : `${folder} can be made` };
}

/** The environment's own checks, without the rights that some runbook would need. */
async function environment(path: string, io: CommandIo): Promise<ObservedCheck[]> {
  const loaded = await loadEnvironment(path, io.cwd);
  const binding: Plan['binding'] = {
    rules: 1,
    tool: toolVersion(),
    runbook: { name: 'doctor', version: '0.0.0', title: '', owner: '', controls: [], sha256: '', git: null },
    environment: await environmentOf({ environment: loaded, registry, cwd: io.cwd }, null),
    inputs: {},
    objectives: { rtoMs: null, rpoMs: null },
    fault: 'declared',
    probes: [],
    steps: [],
    cleanup: [],
    requiredEvidence: [],
  };
  const secrets = new Redactor();
  addKnownSecrets(secrets, io.env);
  const { checks } = await look({ schema: 'muster/plan/v1', binding, digest: planDigest(binding), observed: { at: '', checks: [] } }, io.cwd, secrets, io);
  return [...checks, ...(await storeChecks(loaded.document, resolve(io.cwd, path), io))];
}
