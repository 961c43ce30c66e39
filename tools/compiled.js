// Keeps V8's code of dist/command beside it, for bin/load.js. The commands that are run here read only; what they made V8
// compile is in what is kept, so that it need not be compiled again when a drill begins and when it ends.
// `node tools/compiled.js <file of dist/command>...`: these too, though nothing was run of them.
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { load, scripts } = createRequire(import.meta.url)('../bin/load.js');
const { main } = load('main.cjs');
await main(['plan', 'runbooks/pitr-restore.yaml', '--env', 'runbooks/environments/sandbox.yaml']);
for (const name of existsSync('evidence') ? readdirSync('evidence') : []) {
  if (!existsSync(join('evidence', name, 'bagit.txt'))) continue;
  await main(['verify', join('evidence', name), '--allowed-signers', 'evidence/allowed_signers']);
  await main(['report', join('evidence', name), '--format', 'html']);
}
for (const name of process.argv.slice(2)) load(name);
for (const [kept, script] of scripts) {
  const making = `${kept}.${process.pid}`;
  writeFileSync(making, script.createCachedData());
  renameSync(making, kept);
}
