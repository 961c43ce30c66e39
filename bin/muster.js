#!/usr/bin/env node
// Answers --version from package.json alone; everything else is loaded from dist/ when it is needed.
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { folder, load } = require('./load.js');

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  process.stdout.write(`${JSON.parse(readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8')).version}\n`);
} else if (existsSync(path.join(folder, 'main.cjs'))) {
  void load('main.cjs').main(args).then((code) => (process.exitCode = code));
} else {
  process.stderr.write('muster: this checkout is not built. Run `npm ci` in it (or `npm run build` when the packages are installed).\n');
  process.exitCode = 70;
}
