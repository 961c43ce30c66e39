// Makes the sample bundle in evidence/ anew: a sealed demo drill, the public key that checks it, and the picture of its
// report for the README. The private key is thrown away. To be run in a fresh clone whose report renders differently
// from the sample (test/evidence/sample.test.ts says so); commit with `git add -f evidence docs/report.png`.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findChromium } from '../dist/src/report/pdf.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const evidence = join(root, 'evidence');
const made = mkdtempSync(join(tmpdir(), 'muster-sample-'));

function run(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, MUSTER_STATE_DIR: join(made, 'state') }, ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
  return stdout;
}

const muster = (...args) => run(process.execPath, ['bin/muster.js', ...args]);

try {
  const key = join(made, 'key');
  const signer = muster('keygen', '--out', key).replace(/^\S+/, 'muster-sample');
  muster('run', 'runbooks/pitr-restore.yaml', '--env', 'runbooks/environments/sandbox.yaml', '--evidence-dir', join(made, 'evidence'), '--key', key);
  const [name] = readdirSync(join(made, 'evidence'));
  for (const old of readdirSync(evidence)) if (old !== '.gitkeep') rmSync(join(evidence, old), { recursive: true });
  cpSync(join(made, 'evidence', name), join(evidence, name), { recursive: true });
  writeFileSync(join(evidence, 'allowed_signers'), signer);
  process.stdout.write(muster('verify', join('evidence', name), '--allowed-signers', join('evidence', 'allowed_signers')));

  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  writeFileSync(join(root, 'README.md'), readme.replaceAll(/\d{8}T\d{6}Z-pitr-restore-[0-9a-f]{6}(?=\/data\/report\.html\))/g, name));
  const chromium = findChromium(process.env);
  if (chromium === undefined) throw new Error('no Chromium was found to take the picture with');
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars'];
  run(chromium, [...flags, `--user-data-dir=${join(made, 'profile')}`, '--window-size=1100,1400', `--screenshot=${join(root, 'docs', 'report.png')}`, pathToFileURL(join(evidence, name, 'data', 'report.html')).href], { stdio: 'ignore' });
} finally {
  rmSync(made, { recursive: true, force: true, maxRetries: 5 });
}
