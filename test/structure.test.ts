import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { registry } from '../src/cli/registry.generated.js';
import { catalog } from '../src/engine/catalog.js';
import { packageRoot } from '../src/engine/package-root.js';
import { validator } from '../src/engine/validators.js';

const root = packageRoot();
const files = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .toSorted();

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
  /** `await import()`: at run time, by whoever asks. */
  readonly lazy: boolean;
}

const sources = files('src', '.ts');
const imports: Import[] = sources.flatMap((from) => {
  const text = readFileSync(join(root, from), 'utf8');
  const statics = [...text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)].map(([, type, to = '']) => ({ to, typeOnly: type !== undefined, lazy: false }));
  const lazies = [...text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)].map(([, to = '']) => ({ to, typeOnly: false, lazy: true }));
  return [...statics, ...lazies].map((each) => ({ ...each, from, to: each.to.startsWith('.') ? join(dirname(from), each.to).replace(/\.js$/, '.ts') : each.to }));
});

const part = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1];
const bad = (rule: (each: Import) => boolean) => imports.filter(rule).map((each) => `${each.from} imports ${each.to}`);

describe('imports', () => {
  it('are found at all', () => expect(imports.length).toBeGreaterThan(100));

  it('go one way: cli -> evidence, report, steps, clients -> engine', () => {
    const allowed: Readonly<Record<string, readonly string[]>> = { engine: ['engine'], clients: ['clients', 'engine'], steps: ['steps', 'clients', 'engine'], evidence: ['evidence', 'report', 'engine'], report: ['report', 'engine'] };
    expect(bad(({ from, to }) => {
      const [here, there] = [part(from) ?? '', part(to)];
      return there !== undefined && allowed[here] !== undefined && !allowed[here].includes(there);
    })).toEqual([]);
  });

  it('of steps reach only types of clients, and no adapter', () => {
    expect(bad(({ from, to, typeOnly }) => part(from) === 'steps' && part(to) === 'clients' && (!typeOnly || /adapter/.test(to)))).toEqual([]);
  });

  it('of the engine and the steps name no SDK and no terminal library', () => {
    const light = /^(node:|\.|src\/|typebox(\/|$)|yaml$|ajv$)/;
    expect(bad(({ from, to, typeOnly }) => ['engine', 'steps'].includes(part(from) ?? '') && !typeOnly && !light.test(to))).toEqual([]);
  });

  it('make no cycle, not even of types', () => {
    const edges = new Map<string, string[]>();
    for (const { from, to } of imports) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('of what `muster validate` loads are light', () => {
    const heavy = new Set<string>();
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const { to, typeOnly, lazy } of imports.filter((each) => each.from === file)) {
        if (typeOnly || lazy) continue;
        if (part(to) !== undefined) visit(to);
        else if (!to.startsWith('node:')) heavy.add(to);
      }
    };
    visit('src/cli/validate.ts');
    expect([...heavy]).toEqual(['yaml']);
    expect([...seen].filter((file) => part(file) === 'steps' || part(file) === 'clients')).toEqual([]);
  });
});

describe('a definition', () => {
  const definitionFiles = [
    ...files('src/steps', '.ts').filter((path) => path.split('/').length === 4 && !path.includes('/lib/')).map((path) => path.replace(/^src\/steps\/(?:general\/)?/, '').replace(/\.ts$/, '').replace('/', '.')),
    ...readdirSync(join(root, 'src', 'clients', 'provision')).filter((name) => name.endsWith('.ts')).map((name) => name.slice(0, -3)),
  ].toSorted();
  const types = [...catalog().keys()].toSorted();

  it('stands in its folder, the catalog, the schemas and the reference alike', () => {
    expect(types).toEqual(definitionFiles);
    const schemas = [...files('schemas/steps', '.json'), ...files('schemas/provision', '.json'), ...files('schemas/watch', '.json')].map((path) => path.replace(/^schemas\/(steps|provision|watch)\//, '').replace(/\.schema\.json$/, '')).toSorted();
    expect(schemas).toEqual(definitionFiles);
    const page = readFileSync(join(root, 'docs', 'steps.md'), 'utf8');
    expect([...page.matchAll(/^### (.+)$/gm)].map(([, type]) => type).toSorted()).toEqual(definitionFiles);
  });

  it.each(types)('%s is found by the registry under its own name and says what it is', async (type) => {
    const role = catalog().get(type)?.role ?? 'step';
    const definition = await registry[role](type);
    expect(definition.type).toBe(type);
    expect(definition.summary).toMatch(/^[A-Z].*[.]$/s);
  });

  const exemplary = types.filter((type) => catalog().get(type)?.role !== 'provisioner');
  it.each(exemplary)('%s has examples that hold to its schema', async (type) => {
    const role = catalog().get(type)?.role;
    const definition = await (role === 'probe' ? registry.probe(type) : role === 'watcher' ? registry.watcher(type) : registry.step(type));
    const tolerant = validator(role === 'watcher' ? `watch/${type}.strict` : `steps/${type}.tolerant`);
    expect(definition.examples.length).toBeGreaterThan(0);
    for (const example of definition.examples) expect({ title: example.title, ok: tolerant(example.with), errors: tolerant.errors ?? [] }).toEqual({ title: example.title, ok: true, errors: [] });
  });
});
