import { phases } from '../define-step.js';
import type { CatalogEntry } from '../catalog.js';
import { validator } from '../validators.js';
import { checkInputs } from './inputs.js';
import { didYouMean } from './nearest.js';
import { placeCleanup, placeSteps, type Placed } from './placed.js';
import { describe, listed, type Pointer, type Report } from './report.js';
import { reportSchema } from './schema-errors.js';
import { isMapping, mapping, text, type Mapping } from './shape.js';
import { checkTemplates, namesOf, refuseTemplates, seenFrom, seenFromProbes } from './templates.js';
import { checkFixed, checkWith, eachReference, typeIn } from './types.js';

type Catalog = ReadonlyMap<string, CatalogEntry>;

/** Reports everything that is wrong with a runbook by itself, without an environment. */
export function checkRunbook(value: unknown, catalog: Catalog, report: Report): void {
  const steps = placeSteps(mapping(value));
  for (const { step, pointer, branch } of steps) {
    if (branch !== null && step['parallel'] !== undefined) report.broken(pointer, { message: 'a parallel block cannot stand in another', expected: 'a step', found: 'a parallel block' });
  }
  reportSchema(validator('runbook'), value, [], report);
  if (!isMapping(value)) return;
  const cleanup = placeCleanup(value);
  const names = namesOf(value, [...steps, ...cleanup], catalog);

  checkInputs(value, report);
  checkIds(value, [...steps, ...cleanup], report);
  checkPhases(steps, report);
  checkRequires(value, catalog, report);
  for (const placed of [...steps, ...cleanup]) {
    checkUse(placed.step, 'step', placed.pointer, value, catalog, report);
    checkTemplates(placed.step['with'], [...placed.pointer, 'with'], names, seenFrom(placed), report);
    refuseTemplates({ ...placed.step, with: null }, placed.pointer, 'templates are rendered in `with` only', report);
  }
  for (const [id, probe] of Object.entries(mapping(value['probes']))) {
    if (!isMapping(probe)) continue;
    checkUse(probe, 'probe', ['probes', id], value, catalog, report);
    checkTemplates(probe['with'], ['probes', id, 'with'], names, seenFromProbes, report);
  }
  const { steps: _, cleanup: __, probes: ___, ...rest } = value;
  refuseTemplates(rest, [], 'templates are rendered in the `with` of steps and probes only', report);
}

/** `with` has the shape of its type, and the names in it exist in the runbook. */
function checkUse(holder: Mapping, role: 'step' | 'probe', pointer: Pointer, runbook: Mapping, catalog: Catalog, report: Report): void {
  const entry = typeIn(holder, 'uses', role, pointer, catalog, report);
  if (entry === undefined) return;
  checkFixed(holder, entry, pointer, report);
  checkWith(holder, entry, pointer, report);
  const requires = mapping(runbook['requires']);
  eachReference(holder, entry, pointer, (name, reference, at) => {
    if (reference.to === 'probe') {
      const probes = Object.keys(mapping(runbook['probes']));
      if (!probes.includes(name)) report.add(at, { message: `there is no probe "${name}"`, expected: probes.length === 0 ? 'a probe under `probes:`' : listed(probes), found: `"${name}"`, hint: didYouMean(name, probes) });
      return;
    }
    const kind = reference.to === 'endpoint' ? 'endpoint' : (reference.kind ?? '*');
    const fits = (each: unknown) => (kind === '*' ? each !== 'endpoint' : each === kind);
    const given = Object.hasOwn(requires, name) ? requires[name] : undefined;
    if (fits(given) && given !== undefined) return;
    const candidates = Object.keys(requires).filter((each) => fits(requires[each]));
    const what = kind === 'endpoint' ? 'an endpoint' : kind === '*' ? 'a connection' : `a connection of kind ${kind}`;
    report.add(at, {
      message: given === undefined ? `"${name}" is not among the runbook's requires` : `"${name}" is required as ${describe(given)}, but ${entry.type} needs ${what} here`,
      expected: candidates.length === 0 ? `${what}, declared under \`requires:\`` : `${what}: ${listed(candidates)}`,
      found: `"${name}"`,
      hint: didYouMean(name, candidates),
    });
  });
}

/** Ids name outputs, logs and events: steps, cleanup steps and probes share them. */
function checkIds(runbook: Mapping, steps: readonly Placed[], report: Report): void {
  const seen = new Map<string, Pointer>(Object.keys(mapping(runbook['probes'])).map((id) => [id, ['probes', id]]));
  for (const { id, pointer } of steps) {
    if (id === undefined) continue;
    const first = seen.get(id);
    if (first === undefined) seen.set(id, pointer);
    else {
      const { line } = report.locate(first, 'key');
      report.add([...pointer, 'id'], { message: `the id "${id}" is taken by the ${first[0] === 'probes' ? 'probe' : 'step'} in line ${line}`, expected: 'an id of its own', found: `"${id}"` });
    }
  }
}

/** Phases never go backwards: in each branch of a parallel block from where the block began, after it from the furthest branch. */
function checkPhases(steps: readonly Placed[], report: Report): void {
  let reached = 0;
  let node = -1;
  let branch: string | null = null;
  let floor = 0;
  let before = 0;
  for (const { step, pointer, ...place } of steps) {
    if (place.node !== node) before = reached;
    if (place.node !== node || place.branch !== branch) floor = before;
    ({ node, branch } = place);
    const phase = text(step['phase']);
    const rank = phases.findIndex((each) => each === phase);
    if (rank === -1) continue;
    if (step['gate'] === true && phase !== 'verify') report.add([...pointer, 'gate'], { message: 'only a verify step can be a gate', expected: 'gate on a step of phase verify', found: `gate on a step of phase ${phase}` });
    if (rank < floor) report.add([...pointer, 'phase'], { message: `the phase goes backwards from ${phases[floor]} to ${phase}`, expected: listed(phases.slice(floor)), found: `"${phase}"`, hint: 'move the step before the steps of later phases' });
    else floor = rank;
    reached = Math.max(reached, floor);
  }
}

/** Kinds are those that provisioners of this package provide. */
function checkRequires(runbook: Mapping, catalog: Catalog, report: Report): void {
  const kinds = [...new Set([...catalog.values()].flatMap((entry) => entry.kinds))];
  if (kinds.length === 0) return;
  for (const [name, kind] of Object.entries(mapping(runbook['requires']))) {
    if (typeof kind !== 'string' || kind === 'endpoint' || kinds.includes(kind)) continue;
    report.add(['requires', name], { message: `there is no connection kind "${kind}"`, expected: listed([...kinds, 'endpoint']), found: `"${kind}"`, hint: didYouMean(kind, [...kinds, 'endpoint']) });
  }
}
