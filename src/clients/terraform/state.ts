import { StepError } from '../../engine/errors.js';
import { canonicalJson, sha256 } from '../../engine/canonical.js';

/** What a state says, without its values. */
export interface StateFacts {
  readonly lineage: string;
  readonly serial: number;
  /** Version of the tool that wrote it. */
  readonly version: string;
  /** Addresses of the managed resource instances, sorted. */
  readonly resources: readonly string[];
  /** SHA-256 of its resources and outputs, with their values: tells two states of one serial apart. */
  readonly digest: string;
}

interface StateJson {
  readonly version?: unknown;
  readonly terraform_version?: unknown;
  readonly lineage?: unknown;
  readonly serial?: unknown;
  readonly outputs?: unknown;
  readonly resources?: readonly { readonly module?: string; readonly mode?: string; readonly type?: string; readonly name?: string; readonly instances?: readonly { readonly index_key?: string | number }[] }[];
}

/** From the JSON of a state (format 4). Throws StepError `not-a-state`. */
export function stateFacts(text: string): StateFacts {
  const state = parsed(text);
  const { lineage, serial } = state;
  if (typeof lineage !== 'string' || typeof serial !== 'number') throw new StepError('not-a-state', 'what should be a Terraform state has no lineage or no serial');
  return {
    lineage,
    serial,
    version: typeof state.terraform_version === 'string' ? state.terraform_version : 'unknown',
    resources: (state.resources ?? []).filter(({ mode }) => mode === 'managed').flatMap(addresses).toSorted(),
    digest: sha256(canonicalJson({ resources: state.resources ?? [], outputs: state.outputs ?? {} })),
  };
}

/**
 * The same state under another serial. The text is edited, not written anew: numbers may be longer than JavaScript's. Throws
 * StepError `not-a-state`.
 */
export function withSerial(text: string, serial: number): string {
  const before = stateFacts(text);
  const edited = text.replace(/("serial"\s*:\s*)\d+/, `$1${serial}`);
  const after = stateFacts(edited);
  if (after.serial !== serial || after.digest !== before.digest) throw new StepError('not-a-state', 'the serial of the state does not stand where Terraform writes it');
  return edited;
}

function parsed(text: string): StateJson {
  try {
    const state: unknown = JSON.parse(text);
    if (typeof state === 'object' && state !== null && !Array.isArray(state)) return state;
  } catch {
    // The parser's own message quotes the text, which may hold secrets.
  }
  throw new StepError('not-a-state', 'what should be a Terraform state is no JSON object');
}

function addresses({ module, type = '?', name = '?', instances = [] }: NonNullable<StateJson['resources']>[number]): string[] {
  const resource = `${module === undefined ? '' : `${module}.`}${type}.${name}`;
  return instances.map(({ index_key: key }) => (key === undefined ? resource : `${resource}[${JSON.stringify(key)}]`));
}
