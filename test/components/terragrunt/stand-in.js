// A STAND-IN for Terragrunt 1.x, for the tests: nobody packages the real one. It follows the documented command line, file names and
// report format as far as Muster uses them, refuses everything else, and calls real terraform in every unit.
import { relative, resolve } from 'node:path';
import { UnitConfig, unitFolders } from './config.js';
import { runQueue } from './queue.js';
import { Unit } from './unit.js';

const version = '1.1.3';
const switches = ['all', 'non-interactive', 'no-color', 'json', 'dag', 'dependencies', 'summary-disable', 'inputs', 'queue-strict-include', 'version', 'tf-forward-stdout'];
const valued = ['working-dir', 'report-file', 'report-format', 'out-dir', 'json-out-dir', 'filter', 'queue-include-dir', 'parallelism', 'download-dir', 'log-level', 'log-format', 'tf-path', 'format'];

function read(argv) {
  const words = [];
  const flags = { filter: [], 'queue-include-dir': [] };
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index];
    if (word === '--') return { words, flags, tf: argv.slice(index + 1) };
    if (!word.startsWith('--')) {
      words.push(word);
      // Without `--`, what follows terraform's own command is terraform's.
      if (words[0] === 'run' && words.length > 1) return { words: ['run'], flags, tf: argv.slice(index) };
      continue;
    }
    const [name, given] = word.slice(2).split(/=(.*)/s);
    if (switches.includes(name)) flags[name] = given !== 'false';
    else if (valued.includes(name)) {
      const value = given ?? argv[(index += 1)];
      if (Array.isArray(flags[name])) flags[name].push(value);
      else flags[name] = value;
    } else fail(`flag provided but not defined: -${word.slice(1)}`);
  }
  return { words, flags, tf: undefined };
}

function fail(message) {
  process.stderr.write(`${clock()} ERROR  ${message}\n`);
  process.exit(1);
}

const clock = () => new Date().toISOString().slice(11, 23);

function inOrder(units) {
  const done = [];
  const visit = (unit) => {
    if (done.includes(unit)) return;
    for (const folder of unit.config.after) {
      const dependency = units.find((other) => other.folder === folder);
      if (dependency !== undefined) visit(dependency);
    }
    done.push(unit);
  };
  units.forEach(visit);
  return done;
}

/** A filter is a path (`./a/b`, `{./a}`) or a unit's name. */
function chosen(units, { filter, 'queue-include-dir': folders }, root) {
  const wanted = [...filter.map((text) => text.replace(/^\{(.*)\}$/, '$1')), ...folders].map((text) => relative(root, resolve(root, text)) || '.');
  return wanted.length === 0 ? units : units.filter(({ name }) => wanted.includes(name));
}

async function main() {
  const { words, flags, tf } = read(process.argv.slice(2));
  if (flags.version || words[0] === 'version') return void process.stdout.write(`terragrunt version v${version}\n`);
  const root = resolve(flags['working-dir'] ?? process.env.TG_WORKING_DIR ?? '.');
  const children = new Set();
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      stopping = true;
      // A whole process group is told at once; whoever was not told is told later, as Terragrunt does it.
      setTimeout(() => children.forEach((child) => child.kill('SIGINT')), 15_000).unref();
    });
  }
  const settings = { env: process.env, tfPath: flags['tf-path'] ?? process.env.TG_TF_PATH ?? 'terraform', downloadDir: flags['download-dir'] ?? process.env.TG_DOWNLOAD_DIR, children };
  const unitsBelow = (folder) => unitFolders(folder).map((each) => new Unit(new UnitConfig(each, process.env), root, settings));
  const write = (text) => process.stdout.write(text);
  switch (words.join(' ')) {
    case 'find':
    case 'list': {
      const units = inOrder(unitsBelow(root));
      const described = units.map(({ name, config }) => ({ type: 'unit', path: name, ...(flags.dependencies && config.after.length > 0 ? { dependencies: config.after.map((folder) => relative(root, folder) || '.') } : {}) }));
      return void write(flags.json || flags.format === 'json' ? `${JSON.stringify(described, null, 2)}\n` : flags.format === 'dot' ? dot(described) : described.map(({ path }) => `${path}\n`).join(''));
    }
    case 'dag graph':
      return void write(dot(inOrder(unitsBelow(root)).map(({ name, config }) => ({ path: name, dependencies: config.after.map((folder) => relative(root, folder)) }))));
    case 'hcl validate': {
      const errors = [];
      for (const folder of unitFolders(root)) {
        try {
          const config = new UnitConfig(folder, process.env);
          void [config.dependencies, config.rules, config.remoteState];
        } catch (error) {
          errors.push({ severity: 'error', summary: 'Invalid configuration', detail: error.message });
        }
      }
      write(flags.json ? `${JSON.stringify(errors)}\n` : '');
      if (errors.length > 0) process.exitCode = 1;
      return;
    }
    case 'render': {
      const config = new UnitConfig(root, process.env);
      return void write(`${JSON.stringify({ remote_state: config.remoteState, terraform: { source: config.source }, dependency: Object.fromEntries(config.dependencies.map(({ name, folder }) => [name, { config_path: folder }])) }, null, 2)}\n`);
    }
    case 'run': {
      if (tf === undefined || tf.length === 0) fail('no tofu/terraform command given');
      const all = flags.all === true;
      const units = all ? unitsBelow(root) : [new Unit(new UnitConfig(root, process.env), root, settings)];
      const byFolder = new Map();
      const add = (unit) => {
        if (byFolder.has(unit.folder)) return;
        byFolder.set(unit.folder, unit);
        for (const folder of unit.config.after) add(units.find((other) => other.folder === folder) ?? new Unit(new UnitConfig(folder, process.env), root, settings));
      };
      units.forEach(add);
      const picked = all ? chosen(units, flags, root) : units;
      if (picked.length === 0) fail('no units found that fit');
      const options = {
        parallelism: Number(flags.parallelism ?? Number.MAX_SAFE_INTEGER),
        outDir: flags['out-dir'] === undefined ? undefined : resolve(root, flags['out-dir']),
        jsonOutDir: flags['json-out-dir'] === undefined ? undefined : resolve(root, flags['json-out-dir']),
        reportFile: flags['report-file'] === undefined ? undefined : resolve(root, flags['report-file']),
        reportFormat: flags['report-format'],
        stopping: () => stopping,
        log: (level, unit, text) => process.stderr.write(text.split('\n').map((line) => `${clock()} ${level.padEnd(6)} ${all ? `[${unit.name}] ` : ''}${line}\n`).join('')),
        onLine: (line, stream, unit) => (all ? process.stdout.write(`${clock()} ${stream.toUpperCase()} [${unit.name}] terraform: ${line}\n`) : process[stream].write(`${line}\n`)),
      };
      process.exitCode = await runQueue(picked, tf, options, byFolder);
      return;
    }
    default:
      // run-all was removed in 0.90.
      fail(words[0] === 'run-all' ? 'unknown command: "run-all". Terragrunt no longer forwards unknown commands by default. Use \'terragrunt run -- run-all\' or a supported shortcut' : `the stand-in has no command ${words.join(' ')}`);
  }
}

function dot(units) {
  const nodes = units.map(({ path }) => `\t"${path}" ;\n`).join('');
  const edges = units.flatMap(({ path, dependencies = [] }) => dependencies.map((each) => `\t"${path}" -> "${each}";\n`)).join('');
  return `digraph {\n${nodes}${edges}}\n`;
}

await main().catch((error) => fail(error.message));
