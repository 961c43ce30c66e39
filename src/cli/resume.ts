import { dirname } from 'node:path';
import { called } from '../engine/called.js';
import { bootId } from '../engine/clock.js';
import { RefusedError, UsageError } from '../engine/errors.js';
import { toolVersion } from '../engine/package-root.js';
import { resolveInputs, type InputValue, type ResolvedInputs } from '../engine/plan/inputs.js';
import type { Plan } from '../engine/plan-document.js';
import type { Redactor } from '../engine/redact.js';
import { whyNotResumable } from '../engine/resume.js';
import { LiveWorld } from '../engine/world.js';
import { BundleError, openBundle, type BundleWriter } from '../evidence/bag.js';
import type { Sealer } from '../evidence/seal.js';
import { outliveTerminal } from './cancellation.js';
import { guardOf } from './compose.js';
import { conduct, type Conducted } from './conduct.js';
import { storeOf } from './evidence-store.js';
import { parseSet } from './inputs.js';
import { withoutSecrets, type CommandIo } from './io.js';
import { takeLocks, type RunLocks } from './locks.js';
import { report } from './outcome.js';
import { tellSinks } from './sinks.js';
import { secretsOf, sensitiveInputs } from './prepare.js';
import { registry } from './registry.generated.js';
import { sealerIfUsable, type SealOptions } from './sealer.js';
import { own, takeOver, takeoverOf, type TakenOver } from './taken-over.js';

export interface ResumeOptions extends SealOptions {
  /** Values of sensitive inputs, which stand nowhere. */
  readonly set: readonly string[];
  readonly json: boolean;
  readonly yes: boolean;
}

/**
 * `muster resume`: goes on with a run whose process died, or says why that cannot be and changes nothing. The time in which
 * nobody measured is counted as a gap.
 */
export async function resume(name: string, options: ResumeOptions, plainIo: CommandIo): Promise<number> {
  outliveTerminal();
  const taken = await takeOver(name, plainIo);
  try {
    const why = await whyNotResumable(taken.journal, taken.plan, registry, bootId(), toolVersion());
    if (why.length > 0) throw notResumable(taken.paths.id, why);
    const inputs = inputsOf(taken, options.set, plainIo);
    const secrets = secretsOf(inputs, taken.environment, plainIo);
    const io = withoutSecrets(plainIo, secrets);
    return await goOn(taken, inputs, secrets, options, io).catch(async (error: unknown) => (await import('./failure.js')).reportFailure(error, io));
  } finally {
    await taken.claim.release();
  }
}

async function goOn(taken: TakenOver, inputs: ResolvedInputs, secrets: Redactor, options: ResumeOptions, io: CommandIo): Promise<number> {
  const sealer = await sealerIfUsable(options, io);
  const { plan, paths, journal, meta, state } = taken;
  const guard = guardOf({ plan, world: new LiveWorld(), ownDirectories: [], protectedDirectories: [state, meta.evidenceDir], runbookDir: dirname(meta.runbook) });
  const locks = await takeLocks(plan, paths.id, state, guard, secrets);
  await own(taken);
  if (journal.over) io.stderr('No step of this run is left to be done: ending it.\n');
  const conducted = await conductTaken(taken, { mode: journal.over ? 'end' : 'continue', inputs, secrets, sealer, locks, keep: meta.keep, json: options.json, yes: options.yes }, io);
  const code = await report(conducted, paths, options.json, io);
  if (conducted.finished !== null) await tellSinks({ ...conducted.finished, plan }, taken.environment, io);
  return code;
}

export interface Onwards {
  readonly mode: 'continue' | 'end';
  readonly inputs: ResolvedInputs;
  readonly secrets: Redactor;
  readonly sealer: Sealer | undefined;
  readonly locks: Pick<RunLocks, 'release'>;
  readonly keep: boolean;
  readonly json: boolean;
  readonly yes: boolean;
  readonly sweep?: () => Promise<void>;
}

/** Goes on with a run that this process owns. */
export async function conductTaken(taken: TakenOver, { mode, ...onwards }: Onwards, io: CommandIo): Promise<Conducted> {
  const { plan, runbook, environment, paths, state, meta } = taken;
  const store = await storeOf(environment, meta.environment, io);
  const bundle = await openBundle(meta.evidenceDir, paths.id).catch((error: unknown) => withoutBundle(error, mode));
  return conduct(
    { plan, runbook, runbookPath: meta.runbook, environment, environmentPath: meta.environment, paths, state, evidenceDir: meta.evidenceDir, bundle, store, answers: new Map(), takeover: takeoverOf(taken, mode), ...onwards },
    io,
  );
}

/** A run is ended also where its bundle cannot be written; the journal is kept then. It is not continued without. */
function withoutBundle(error: unknown, mode: Onwards['mode']): BundleWriter {
  if (!(error instanceof BundleError)) throw error;
  if (mode === 'continue') throw new RefusedError(error.message, ['Nothing was changed.'], { cause: error });
  return { path: error.file, recordEvidence: () => Promise.resolve(), ready: () => undefined, finish: () => Promise.reject(error), abandon: () => Promise.resolve() };
}

/** The inputs of the plan; those that are sensitive and were given must be given again. Throws UsageError. */
export function inputsOf({ plan, runbook, meta }: TakenOver, set: readonly string[], io: CommandIo): ResolvedInputs {
  const given = { ...sensitiveInputs(runbook.inputs, io), ...parseSet(set) };
  const known = resolveInputs(runbook.inputs, { ...asText(plannedInputs(plan)), ...given });
  const missing = known.sensitive.filter((name) => meta.given.includes(name) && !Object.hasOwn(given, name));
  if (missing.length > 0) throw new UsageError(`the run was given ${missing.join(', ')}, whose value stands nowhere: give it again as ${missing.map((name) => `MUSTER_INPUT_${name}`).join(' ')} in the environment, or with --set`);
  return { values: { ...known.values, ...plannedInputs(plan) }, sensitive: known.sensitive };
}

/** Those whose values the plan holds: all but the sensitive ones. */
export function plannedInputs({ binding }: Plan): ResolvedInputs['values'] {
  return Object.fromEntries(Object.entries(binding.inputs).filter((input): input is [string, InputValue] => ['string', 'number', 'boolean'].includes(typeof input[1])));
}

/** As --set gives them. */
function asText(values: ResolvedInputs['values']): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

function notResumable(run: string, why: readonly string[]): RefusedError {
  return new RefusedError(`run ${run} cannot be continued`, [...why, `Remove what it made, and write the bundle of what it did: ${called} cleanup ${run}`]);
}
