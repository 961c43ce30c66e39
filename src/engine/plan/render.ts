import type { Environment, Runbook } from '../documents.js';
import { DocumentError, StepError, type Diagnostic } from '../errors.js';
import type { Loaded } from '../load.js';
import { environmentValues, renderKnown, templatePaths } from '../template.js';
import { Report } from '../load/report.js';
import { reportSchema } from '../load/schema-errors.js';
import { validator } from '../validators.js';
import type { ResolvedInputs } from './inputs.js';
import type { Pointer, StepPlanner } from './steps.js';

export interface RenderSources {
  readonly runbook: Loaded<Runbook>;
  readonly environment: Loaded<Environment>;
  readonly inputs: ResolvedInputs;
}

/**
 * Renders what is known before the run: inputs that are not sensitive, and the environment's names. The result is
 * checked again, since an input may be of the wrong kind for the place where it stands; throws DocumentError.
 */
export function createRenderer({ runbook, environment, inputs }: RenderSources): StepPlanner['render'] {
  const open = Object.fromEntries(Object.entries(inputs.values).filter(([name]) => !inputs.sensitive.includes(name)));
  const known = { inputs: open, env: environmentValues(environment.document.metadata) };
  return (type, value, pointer) => {
    if (templatePaths(value).length === 0) return value;
    const rendered = within(() => renderKnown(value, known), runbook, pointer) as Record<string, unknown>;
    const diagnostics = problems(type, rendered, pointer, runbook);
    if (diagnostics.length > 0) throw new DocumentError(diagnostics);
    return rendered;
  };
}

function within<T>(work: () => T, runbook: Loaded<Runbook>, pointer: Pointer): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    throw new DocumentError([{ position: runbook.position([...pointer]), message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }]);
  }
}

/** What is still unknown is checked as the template that it is. */
function problems(type: string, rendered: Record<string, unknown>, pointer: Pointer, runbook: Loaded<Runbook>): Diagnostic[] {
  const report = new Report((place) => runbook.position([...place]));
  reportSchema(validator(`steps/${type}.tolerant`), asTemplates(rendered), pointer, report);
  return report.diagnostics();
}

function asTemplates(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asTemplates);
  if (typeof value !== 'object' || value === null) return value;
  if ('unknown' in value && typeof value.unknown === 'string' && Object.keys(value).length === 1) return value.unknown.includes('{{') ? value.unknown : `{{ ${value.unknown} }}`;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asTemplates(member)]));
}
