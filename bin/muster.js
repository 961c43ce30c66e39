#!/usr/bin/env node
// Answers --version from package.json alone; everything else is loaded from dist/ when it is needed.
import { existsSync, readFileSync } from 'node:fs';

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  process.stdout.write(`${JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version}\n`);
} else {
  const main = new URL('../dist/command/main.js', import.meta.url);
  if (existsSync(main)) {
    // Node 22.1 and later keep compiled code between starts.
    (await import('node:module')).default.enableCompileCache?.();
    process.exitCode = await (await import(main.href)).main(args);
  } else {
    process.stderr.write('muster: this checkout is not built. Run `npm ci` in it (or `npm run build` when the packages are installed).\n');
    process.exitCode = 70;
  }
}
