import { canonicalJson, sha256 } from '../engine/canonical.js';
import type { Runbook } from '../engine/documents.js';
import type { Drill } from '../engine/drill.js';
import { DocumentError, messageOf } from '../engine/errors.js';
import type { DrillEvent } from '../engine/events.js';
import { parseSource } from '../engine/load/source.js';
import type { Plan } from '../engine/plan-document.js';
import { toolVersion } from '../engine/package-root.js';
import { derive } from '../engine/verdict.js';
import type { ReportInput } from '../report/model.js';
import { checkRelied } from './approvals-in-bundle.js';
import { reportFiles } from './bag.js';
import { checkManifests } from './manifest.js';
import { mismatch, parseDocument } from './parse.js';
import { linkOf, type BundleLink } from './order.js';
import type { Defect } from './defect.js';
import { readBundle, type ReadBundle } from './reader.js';
import type { Seal } from './seal.js';
import { checkSignatures } from './signatures.js';
import type { AllowedSigner } from './ssh/allowed-signers.js';
import { derivableTexts, evidenceSchemaFile, evidenceSchemaText, tagManifest, tagTexts, type DerivableContent } from './texts.js';

export interface VerifyOptions {
  /** Signers whom the caller trusts. With them, a bundle without a seal by one of them is a defect. */
  readonly allowedSigners?: readonly AllowedSigner[];
  /** A PEM file with the root of the timestamp authority. With it, a bundle without a token that it vouches for is a defect. */
  readonly timestampCa?: string;
}

export interface Verification {
  /** Empty: the bundle is sound, whatever its drill's verdict. */
  readonly defects: readonly Defect[];
  /** What the seal is over; undefined where it could not be read. */
  readonly tagManifestText: string | undefined;
  /** Null when there is none, or none that holds. */
  readonly seal: Seal | null;
  /** Where the bundle stands among others; undefined where it does not say. */
  readonly link: BundleLink | undefined;
  /** What the checks do not prove. */
  readonly notes: readonly string[];
  /** What was checked, in words. */
  readonly checked: readonly string[];
  /** As derived again from the journal; undefined where that was impossible. */
  readonly drill: Drill | undefined;
  /** What reports are made from; undefined unless the bundle is sound. */
  readonly input: ReportInput | undefined;
}

/**
 * Checks every file of a bundle against the manifests, and against what the journal says it must be: the verdict is
 * derived, and all but the logs written, once more. Hostile bundles are the normal case; they give defects, never errors.
 * Rejects only when `path`, a bundle's folder or an archive of one, itself cannot be read.
 */
export async function verifyBundle(path: string, options: VerifyOptions = {}): Promise<Verification> {
  const bundle = await readBundle(path);
  const defects: Defect[] = [...bundle.defects, ...checkManifests(bundle)];
  const findings: Findings = { defects, notes: [], checked: [`${bundle.digests.size} files: the manifests name all that are sealed and no others`] };
  const { events } = bundle;
  const plan = readPlan(bundle, events, defects);
  const runbook = readRunbook(bundle, defects);
  parseDocument<Drill>('data/drill.json', bundle.texts.get('data/drill.json'), 'drill', defects);
  if (events !== undefined) findings.checked.push(`the hash chain and the form of ${events.length} events`);
  const link = linkOf(bundle.digests.get(tagManifest)?.sha256, events?.[0]);

  const rederived = events === undefined || plan === undefined || runbook === undefined ? undefined : await deriveAgain(bundle, { events, plan, runbook }, findings);
  const seal = await checkSignatures(bundle, { plan, events, drill: rederived?.drill }, options, findings);
  return { ...findings, tagManifestText: bundle.texts.get(tagManifest), seal, link, drill: rederived?.drill, input: defects.length === 0 ? rederived : undefined };
}

interface Findings {
  readonly defects: Defect[];
  readonly notes: string[];
  readonly checked: string[];
}

/** Derives all that follows from the journal and holds the files against it. Undefined where nothing can be derived. */
async function deriveAgain(bundle: ReadBundle, { events, plan, runbook }: { events: readonly DrillEvent[]; plan: Plan; runbook: Runbook }, findings: Findings): Promise<ReportInput | undefined> {
  const { defects, notes, checked } = findings;
  checkDocuments(bundle, plan, defects);
  checkRelied(bundle, events, defects);
  checked.push('that plan, runbook and environment are those of the run');
  let drill: Drill;
  try {
    drill = derive(runbook, plan, events);
    const problem = mismatch('drill', drill);
    if (problem !== undefined) throw new Error(`the derived verdict is malformed: ${problem}`);
  } catch (error) {
    defects.push({ code: 'verdict-differs', file: 'data/drill.json', detail: `no verdict can be derived from the journal: ${messageOf(error)}` });
    return undefined;
  }
  const content = { runbookText: bundle.texts.get('data/runbook.yaml') ?? '', environmentText: bundle.texts.get('data/environment.yaml') ?? '', plan, events, drill };
  checkPayload(bundle, content, defects);
  checked.push('verdict and evidence files, derived again from the journal');
  if (bundle.name !== null && bundle.name !== drill.run) notes.push(`The folder was renamed: the run is ${drill.run}.`);
  const input = { drill, plan, runbook, events, files: reportFiles([...bundle.digests].filter(([path]) => path.startsWith('data/')).map(([path, digest]) => ({ path, ...digest }))) };
  await checkRendered(bundle, content, input, findings);
  if ([...bundle.digests.keys()].some((path) => path.startsWith('data/logs/'))) notes.push('Logs are free text: manifest and report bind them, the journal does not.');
  return input;
}

function readPlan({ texts }: ReadBundle, events: readonly DrillEvent[] | undefined, defects: Defect[]): Plan | undefined {
  const file = 'data/plan.json';
  const plan = parseDocument<Plan>(file, texts.get(file), 'plan', defects);
  if (plan === undefined) return undefined;
  const digest = sha256(canonicalJson(plan.binding));
  if (plan.digest !== digest) defects.push({ code: 'plan-differs', file, detail: `its binding has the digest ${digest}, it says ${plan.digest}` });
  const started = events?.find((event) => event.type === 'run.started');
  if (started !== undefined && started.data.plan !== digest) defects.push({ code: 'plan-differs', file, detail: `the journal says that the plan with the digest ${started.data.plan} was run, this is ${digest}` });
  return plan;
}

/** By the document's own schema only: the step types of the day are no concern of an old bundle. */
function readRunbook({ texts }: ReadBundle, defects: Defect[]): Runbook | undefined {
  const file = 'data/runbook.yaml';
  const text = texts.get(file);
  if (text === undefined) return undefined;
  try {
    const { value } = parseSource(file, text);
    const problem = mismatch('runbook', value);
    if (problem === undefined) return value as Runbook;
    defects.push({ code: 'schema', file, detail: problem });
  } catch (error) {
    if (!(error instanceof DocumentError || error instanceof RangeError)) throw error;
    defects.push({ code: 'schema', file, detail: messageOf(error) });
  }
  return undefined;
}

function checkDocuments({ digests }: ReadBundle, plan: Plan, defects: Defect[]): void {
  for (const name of ['runbook', 'environment'] as const) {
    const file = `data/${name}.yaml`;
    const found = digests.get(file)?.sha256;
    if (found !== undefined && found !== plan.binding[name].sha256) defects.push({ code: 'document-differs', file, detail: `its sha256 is ${found}, the plan was made from ${plan.binding[name].sha256}` });
  }
}

/** Holds every payload file but logs and report against what the journal makes of it. */
function checkPayload({ texts, digests }: ReadBundle, content: DerivableContent, defects: Defect[]): void {
  const expected = derivableTexts(content);
  for (const [file, text] of expected) {
    const found = texts.get(file);
    if (found === text) continue;
    if (file === 'data/drill.json') {
      if (found !== undefined) defects.push({ code: 'verdict-differs', file, detail: `derived again, the verdict is ${content.drill.verdict}, and the file does not say the same byte for byte` });
    } else if (file.startsWith('data/evidence/')) {
      defects.push(found === undefined ? { code: 'missing-file', file, detail: 'the journal holds evidence of this kind' } : { code: 'evidence-differs', file, detail: 'it does not say what the journal says' });
    }
  }
  for (const file of digests.keys()) {
    if (file.startsWith('data/evidence/') && !expected.has(file)) defects.push({ code: 'unexpected-file', file, detail: 'the journal holds no evidence of this kind' });
  }
}

async function checkRendered(bundle: ReadBundle, content: DerivableContent, input: ReportInput, { defects, notes, checked }: Findings): Promise<void> {
  const payload = [...bundle.digests].filter(([path]) => path.startsWith('data/')).map(([path, digest]) => ({ path, ...digest }));
  const made = content.events.find((event) => event.type === 'run.started')?.data.tool.version;
  const same = made === toolVersion();
  for (const [file, text] of tagTexts(content.events, content.drill, payload)) {
    if (file === 'manifest-sha256.txt' || (file === 'README.txt' && !same)) continue;
    const found = bundle.texts.get(file);
    if (found !== undefined && found !== text) defects.push({ code: 'tag-differs', file, detail: 'not what Muster writes for this run' });
  }
  if (!same) {
    notes.push(`Made by Muster ${made ?? 'of an unknown version'}, this is ${toolVersion()}: report.html and README.txt were held against the manifests only, not rendered again.`);
    return;
  }
  const schema = bundle.texts.get(evidenceSchemaFile);
  if (schema !== undefined && schema !== evidenceSchemaText()) defects.push({ code: 'evidence-differs', file: evidenceSchemaFile, detail: 'not the schema that this version of Muster has' });
  const { reportHtml } = await import('../report/html.js');
  const found = bundle.texts.get('data/report.html');
  if (found !== undefined && found !== reportHtml(input)) defects.push({ code: 'report-differs', file: 'data/report.html', detail: 'rendered again from the journal, the report is another' });
  checked.push('report and README, rendered again');
}
