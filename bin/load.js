// Loads files of dist/command, and validators, each with the code that V8 made of it when it was built (docs/decisions/0005). V8
// refuses what another version of itself made, and compiles then. The code is written by the build alone, as the files themselves are.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { Script } = require('node:vm');

const folder = path.join(__dirname, '..', 'dist', 'command');
const modules = new Map();
/** What was loaded: its script, and where its code is kept. */
const scripts = new Map();

/** `name`: a file of dist/command, or the path of another. */
function load(name) {
  const file = path.resolve(folder, name);
  const known = modules.get(file);
  if (known !== undefined) return known.exports;
  // V8 forgets how to import in what it made before: the build has dynamic imports go through here.
  const module = { exports: {}, importing: (id) => import(id), loading: load };
  modules.set(file, module);
  const text = readFileSync(file, 'utf8');
  const kept = keptFor(file, text);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, { filename: file, cachedData: compiled(kept) });
  scripts.set(kept, script);
  const elsewhere = createRequire(file);
  script.runInThisContext()(module.exports, (id) => (/^\.\/[^/]+\.cjs$/.test(id) ? load(id.slice(2)) : elsewhere(id)), module, file, path.dirname(file));
  return module.exports;
}

/** V8 tells another text by its length alone. The build removes what it kept of its own files; what others write it knows by their text. */
function keptFor(file, text) {
  if (path.dirname(file) === folder) return `${file}.cache`;
  const { createHash } = require('node:crypto');
  return path.join(folder, `${path.basename(file)}.${createHash('sha1').update(text).digest('hex').slice(0, 16)}.cache`);
}

function compiled(kept) {
  try {
    return readFileSync(kept);
  } catch {
    return undefined;
  }
}

module.exports = { folder, load, scripts };
