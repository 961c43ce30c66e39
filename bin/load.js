// Loads files of dist/command, each with the code that V8 made of it when it was built (docs/decisions/0005). V8 refuses what
// another version of itself made, and compiles then. The folder is written by the build alone, as the files themselves are.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { Script } = require('node:vm');

const folder = path.join(__dirname, '..', 'dist', 'command');
const modules = new Map();
/** What was loaded, by the path of its file. */
const scripts = new Map();

function load(name) {
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  const file = path.join(folder, name);
  // V8 forgets how to import in what it made before: the build has dynamic imports go through here.
  const module = { exports: {}, importing: (id) => import(id) };
  modules.set(name, module);
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`;
  const script = new Script(source, { filename: file, cachedData: compiled(file) });
  scripts.set(file, script);
  const elsewhere = createRequire(file);
  script.runInThisContext()(module.exports, (id) => (/^\.\/[^/]+\.cjs$/.test(id) ? load(id.slice(2)) : elsewhere(id)), module, file, folder);
  return module.exports;
}

function compiled(file) {
  try {
    return readFileSync(`${file}.cache`);
  } catch {
    return undefined;
  }
}

module.exports = { folder, load, scripts };
