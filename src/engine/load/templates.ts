import type { CatalogEntry } from '../catalog.js';
import { eachText, environmentPaths, parseTemplate, runPaths, TemplateError, type TemplatePath } from '../template.js';
import { didYouMean } from './nearest.js';
import { relation, type Placed } from './placed.js';
import { listed, type Finding, type Pointer, type Report } from './report.js';
import { mapping, type Mapping } from './shape.js';

/** What the templates of a runbook may name. */
export interface Names {
  readonly inputs: readonly string[];
  readonly steps: ReadonlyMap<string, Placed>;
  readonly catalog: ReadonlyMap<string, CatalogEntry>;
}

/** Says why templates at some place may not use a step, or undefined where they may. */
export type MayUse = (other: Placed) => Finding | undefined;

/** A step sees the steps that are done before it begins. */
export const seenFrom = (step: Placed): MayUse => (other) => {
  const id = other.id ?? '';
  switch (relation(step, other)) {
    case 'earlier':
      return undefined;
    case 'itself':
      return { message: `"${id}" refers to its own output`, expected: 'a step that comes earlier', found: `"${id}"` };
    case 'sibling':
      return { message: `"${id}" is in another parallel branch, which may not have come so far`, expected: 'a step before the parallel block or in this branch', found: `"${id}" in branch "${other.branch}"` };
    case 'later':
      return { message: `the step "${id}" comes later`, expected: 'a step that comes earlier', found: `"${id}", which comes later` };
  }
};

/** Probes start after the last prepare step. */
export const seenFromProbes: MayUse = (other) =>
  other.step['phase'] === 'prepare' ? undefined : { message: `the step "${other.id}" comes after probes have started`, expected: 'a step of phase prepare', found: `"${other.id}" of phase ${String(other.step['phase'])}` };

/** Checks every template below `pointer`. */
export function checkTemplates(value: unknown, pointer: Pointer, names: Names, mayUse: MayUse, report: Report): void {
  eachText(value, [...pointer], (text, at) => {
    try {
      for (const part of parseTemplate(text)) {
        if (typeof part === 'string') continue;
        const finding = checkPath(part, names, mayUse);
        if (finding !== undefined) report.add(at, finding);
      }
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      report.add(at, { message: error.message, expected: 'a path: {{ inputs.table }}', found: JSON.stringify(text), hint: error.hint });
    }
  });
}

/** Reports templates where nothing renders them: they mean something only in `with`. */
export function refuseTemplates(value: unknown, pointer: Pointer, why: string, report: Report): void {
  eachText(value, [...pointer], (text, at) => {
    if (/\{\{.*\}\}/s.test(text)) report.add(at, { message: `no template can stand here: ${why}`, expected: 'plain text', found: JSON.stringify(text) });
  });
}

const roots = ['inputs', 'steps', 'env', 'run'];

function checkPath({ path, segments }: TemplatePath, names: Names, mayUse: MayUse): Finding | undefined {
  const [root = '', name, ...rest] = segments;
  const found = `{{ ${path} }}`;
  if (!roots.includes(root)) return { message: `{{ ${path} }} leads nowhere`, expected: 'inputs.*, steps.<id>.*, env.* or run.*', found, hint: hintFor(root, segments, names) };
  if (name === undefined) return { message: `{{ ${path} }} names nothing in "${root}"`, expected: `${root}.<name>`, found };
  if (root === 'steps') return checkStep(name, rest, found, names, mayUse);
  const known: readonly string[] = root === 'inputs' ? names.inputs : root === 'env' ? environmentPaths : runPaths;
  if (!known.includes(name)) {
    const kind = root === 'inputs' ? `there is no input "${name}"` : `there is no "${root}.${name}"`;
    return { message: kind, expected: known.length === 0 ? 'an input that is declared under `inputs:`' : listed(known.map((each) => `${root}.${each}`)), found, hint: didYouMean(name, known) };
  }
  if (rest.length > 0) return { message: `"${root}.${name}" is a single value and has no member "${rest[0]}"`, expected: `{{ ${root}.${name} }}`, found };
  return undefined;
}

/** `{{ table }}` is most likely meant as an input, `{{ backup.name }}` as a step. */
function hintFor(root: string, segments: readonly string[], names: Names): string | undefined {
  if (names.inputs.includes(root)) return `did you mean {{ inputs.${segments.join('.')} }}?`;
  if (names.steps.has(root)) return `did you mean {{ steps.${segments.join('.')} }}?`;
  return didYouMean(root, roots);
}

function checkStep(id: string, field: readonly string[], found: string, names: Names, mayUse: MayUse): Finding | undefined {
  const step = names.steps.get(id);
  if (step === undefined) return { message: `there is no step "${id}"`, expected: 'the id of an earlier step', found, hint: didYouMean(id, names.steps.keys()) };
  const refused = mayUse(step);
  if (refused !== undefined) return refused;
  const entry = names.catalog.get(step.uses ?? '');
  if (entry?.role !== 'step') return undefined;
  const fields = entry.outputs.filter((each) => !each.includes('.'));
  const known = fields.filter((each) => each !== '*');
  if (field.length === 0) return { message: `{{ steps.${id} }} names no field of its output`, expected: fields.length === 0 ? `${entry.type} has no output` : listed(known.map((each) => `steps.${id}.${each}`)), found };
  if (holds(entry.outputs, field)) return undefined;
  return {
    message: `${entry.type} has no output "${field.join('.')}"`,
    expected: fields.length === 0 ? 'no reference: this type has no output' : listed(fields.map((each) => `steps.${id}.${each}`)),
    found,
    hint: didYouMean(field.join('.'), entry.outputs.filter((each) => !each.endsWith('*'))),
  };
}

function holds(outputs: readonly string[], field: readonly string[]): boolean {
  let prefix = '';
  for (const name of field) {
    if (outputs.includes(`${prefix}*`)) return true;
    prefix += `${name}.`;
  }
  return outputs.includes(prefix.slice(0, -1));
}

/** Names from a runbook that may still be wrong. The first step of an id counts. */
export function namesOf(runbook: Mapping, steps: readonly Placed[], catalog: Names['catalog']): Names {
  const byId = new Map<string, Placed>();
  for (const step of steps) if (step.id !== undefined && !byId.has(step.id)) byId.set(step.id, step);
  return { inputs: Object.keys(mapping(runbook['inputs'])), steps: byId, catalog };
}
