import { realErrors, type Validate, type ValidationError } from '../validators.js';
import { didYouMean, nearest } from './nearest.js';
import { describe, listed, type Finding, type Pointer, type Report } from './report.js';

/** The parts of a schema that say what was expected; validators of documents carry them in their errors. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, unknown>>;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

/** Reports how the value at `base` differs from the validator's schema, in the words of the document's author. */
export function reportSchema(validate: Validate, value: unknown, base: Pointer, report: Report): void {
  if (validate(value)) return;
  const errors = realErrors(validate);
  const misspelt = misspeltKeys(errors);
  for (const error of errors) {
    const pointer = [...base, ...segments(error.instancePath)];
    if (error.keyword === 'additionalProperties') unknownKey(error, pointer, report);
    else if (error.keyword === 'required') {
      const name = String(error.params['missingProperty']);
      if (!misspelt.has(`${error.instancePath} ${name}`)) missingKey(error, name, pointer, report);
    } else report.add(pointer, wrongValue(error, pointer));
  }
}

const segments = (path: string) => path.split('/').slice(1).map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
const shapeOf = (error: ValidationError): Shape => (typeof error.parentSchema === 'object' ? (error.parentSchema as Shape) : {});
const member = (pointer: Pointer) => (typeof pointer.at(-1) === 'string' && !/^\d+$/.test(String(pointer.at(-1))) ? `"${pointer.at(-1)}"` : 'this');

/** Required keys that are there under a mistyped name: `<path> <key>`. The unknown key says it all. */
function misspeltKeys(errors: readonly ValidationError[]): Set<string> {
  const required = new Map<string, string[]>();
  for (const error of errors) if (error.keyword === 'required') required.set(error.instancePath, [...(required.get(error.instancePath) ?? []), String(error.params['missingProperty'])]);
  const found = new Set<string>();
  for (const error of errors) {
    if (error.keyword !== 'additionalProperties') continue;
    const meant = nearest(String(error.params['additionalProperty']), Object.keys(shapeOf(error).properties ?? {}));
    if (meant !== undefined && required.get(error.instancePath)?.includes(meant) === true) found.add(`${error.instancePath} ${meant}`);
  }
  return found;
}

function unknownKey(error: ValidationError, pointer: Pointer, report: Report): void {
  const name = String(error.params['additionalProperty']);
  const { properties, patternProperties } = shapeOf(error);
  const known = Object.keys(properties ?? {});
  const pattern = Object.keys(patternProperties ?? {})[0];
  const finding: Finding =
    known.length === 0 && pattern !== undefined
      ? { message: `"${name}" cannot be a name here`, expected: namePattern(pattern), found: `"${name}"` }
      : { message: `unknown key "${name}"`, expected: known.length === 0 ? 'no keys' : listed(known), found: `"${name}"`, hint: didYouMean(name, known) ?? (known.includes('uses') ? 'the input of what `uses` names stands under `with`' : undefined) };
  report.broken([...pointer, name], finding, 'key');
}

function missingKey(error: ValidationError, name: string, pointer: Pointer, report: Report): void {
  // An empty mapping or a null says the same about each of its keys; each is still a key to write.
  const expected = shapeOf(error).properties?.[name];
  report.add([...pointer], { message: `missing key "${name}"`, expected: expected === undefined ? `"${name}"` : `"${name}": ${wanted(expected)}`, found: 'nothing' }, 'key');
}

function wrongValue(error: ValidationError, pointer: Pointer): Finding {
  const shape = shapeOf(error);
  const found = describe(error.data);
  const name = member(pointer);
  const param = (key: string) => String(error.params[key] ?? '');
  switch (error.keyword) {
    case 'type':
      return error.data === null ? { message: `${name} has no value`, expected: wanted(shape), found } : { message: `${name} must be ${wanted(shape)}`, expected: wanted(shape), found };
    case 'enum': {
      const allowed = (shape.enum ?? []).map(String);
      return { message: `${name} must be one of ${listed(allowed)}`, expected: listed(allowed), found, hint: typeof error.data === 'string' ? didYouMean(error.data, allowed) : undefined };
    }
    case 'const':
      return { message: `${name} must be ${JSON.stringify(error.params['allowedValue'])}`, expected: JSON.stringify(error.params['allowedValue']), found };
    case 'pattern':
      return { message: `${name} must be ${isDuration(shape) ? 'a duration' : patternWords(shape, param('pattern'))}`, expected: isDuration(shape) ? duration : patternWords(shape, param('pattern')), found };
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return { message: `${name} must be ${param('comparison')} ${param('limit')}`, expected: `a number ${param('comparison')} ${param('limit')}`, found };
    case 'minProperties':
    case 'maxProperties': {
      const known = Object.keys(shape.properties ?? {});
      if (known.length > 0 && param('limit') === '1') return { message: `${name} must hold exactly one of ${listed(known)}`, expected: `one of ${listed(known)}`, found };
      return { message: `${name} must not be ${error.keyword === 'maxProperties' ? `longer than ${param('limit')}` : 'empty'}`, expected: `at ${error.keyword === 'maxProperties' ? 'most' : 'least'} ${param('limit')}`, found };
    }
    case 'minItems':
    case 'minLength':
      return { message: `${name} must not be ${param('limit') === '1' ? 'empty' : `shorter than ${param('limit')}`}`, expected: `at least ${param('limit')}`, found };
    default:
      return { message: `${name} ${error.message ?? 'is wrong'}`, expected: error.message ?? error.keyword, found };
  }
}

const duration = 'a duration: 0, 200ms, 30s, 15m, 1h30m, 2d';
const isDuration = (shape: Shape) => shape.description?.includes('A duration:') === true;
const namePattern = (pattern: string) => (pattern.startsWith('^[a-z][') ? `a name of small letters, digits${pattern.includes('A-Z') ? ', capitals and _' : ' and -'} that begins with a small letter` : `a name that matches ${pattern}`);
const patternWords = (shape: Shape, pattern: string) => (pattern.startsWith('^[a-z][') ? namePattern(pattern) : shape.description === undefined ? `text that matches ${pattern}` : `text that matches ${pattern} (${shape.description})`);

const words: Readonly<Record<string, string>> = { string: 'text', integer: 'a whole number', number: 'a number', boolean: 'true or false', array: 'a list', object: 'a mapping', null: 'nothing' };

function wanted(shape: Shape): string {
  if (shape.enum !== undefined) return listed(shape.enum.map(String));
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (isDuration(shape)) return duration;
  const types = [shape.type ?? []].flat();
  return types.length === 0 ? (shape.description ?? 'a value') : listed(types.map((type) => words[type] ?? type));
}
