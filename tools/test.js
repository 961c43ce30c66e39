// npm test: builds, checks and tests everything, and ends in one line: `N passed, N failed`.
// Components that the tests need and that are missing are installed on Debian as root; elsewhere the suites that
// need them say NOT RUN. With CI=true a missing component is a failure.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const strict = process.env.CI === 'true';

/** Debian packages by what shows that they are there. */
const components = [
  { name: 'PostgreSQL 15', there: () => existsSync('/usr/lib/postgresql/15/bin/postgres'), packages: ['postgresql-15'] },
  { name: 'pgBackRest', there: () => onPath('pgbackrest'), packages: ['pgbackrest'] },
  { name: 'Chromium', there: () => onPath('chromium'), packages: ['chromium'] },
  { name: 'Python 3', there: () => onPath('python3'), packages: ['python3'] },
  { name: 'OpenSSH', there: () => onPath('ssh-keygen') && onPath('ssh-agent'), packages: ['openssh-client'] },
  { name: 'OpenSSL', there: () => onPath('openssl'), packages: ['openssl'] },
  { name: 'zip', there: () => onPath('zip') && onPath('unzip'), packages: ['zip', 'unzip'] },
  { name: 'iproute2', there: () => onPath('ip'), packages: ['iproute2'] },
  { name: 'moto', there: () => existsSync('/usr/lib/python3/dist-packages/responses/__init__.py') && unpackedMoto(), packages: libraries('moto') },
  { name: 'Kubernetes', there: () => Boolean(process.env.MUSTER_TEST_KUBECONFIG) || builtKubernetes(), packages: libraries('kubernetes') },
];

function libraries(tool) {
  return spawnSync(process.execPath, [`tools/${tool}.js`, '--packages'], { cwd: root, encoding: 'utf8' }).stdout.trim().split(' ');
}

/** Its own package is of another Debian and only unpacked, which needs the network once. */
function unpackedMoto() {
  return existsSync('/etc/debian_version') && spawnSync(process.execPath, ['tools/moto.js'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** Built from Debian's source package, once, when what building needs is there. */
function builtKubernetes() {
  return existsSync('/etc/debian_version') && spawnSync(process.execPath, ['tools/kubernetes.js'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

function onPath(program) {
  return (process.env.PATH ?? '').split(':').some((folder) => folder !== '' && existsSync(join(folder, program)));
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status === 0;
}

/** Names of the components that are still missing. */
function provide() {
  const missing = components.filter(({ there }) => !there());
  if (missing.length === 0) return [];
  const canInstall = process.getuid?.() === 0 && existsSync('/etc/debian_version') && onPath('apt-get');
  if (canInstall) {
    const packages = missing.flatMap(({ packages }) => packages);
    console.log(`Installing what the tests need: apt-get install ${packages.join(' ')}`);
    // RUNLEVEL=1: the packages' services are not started; the tests start their own.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    const install = () => run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (!install() && run('apt-get', ['update', '-qq'], { env })) install();
  }
  return components.filter(({ there }) => !there());
}

const results = { passed: 0, failed: 0, skipped: 0 };
const notes = [];

function check(name, command, args) {
  const started = performance.now();
  const ok = run(command, args);
  results[ok ? 'passed' : 'failed'] += 1;
  console.log(`${ok ? 'ok' : 'FAILED'}  ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return ok;
}

const missing = provide();
for (const { name } of missing) {
  notes.push(`NOT RUN: suites that need ${name}, which is not installed here`);
  if (strict) results.failed += 1;
}

const bin = (name) => join(root, 'node_modules', '.bin', name);
if (check('build', process.execPath, ['tools/build.js'])) {
  check('lint', bin('oxlint'), ['--type-aware', '--deny-warnings']);
  check('types', bin('tsc'), ['-p', 'tsconfig.test.json', '--noEmit']);
  check('generated files', process.execPath, ['dist/tools/generate.js', '--check']);
}

const scratch = mkdtempSync(join(tmpdir(), 'muster-test-'));
try {
  const report = join(scratch, 'vitest.json');
  run(bin('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)], {
    env: { ...process.env, MUSTER_TEST_MISSING: missing.map(({ name }) => name).join(',') },
  });
  if (existsSync(report)) {
    const json = JSON.parse(readFileSync(report, 'utf8'));
    // A file that cannot be loaded is a failed suite without a failed test.
    const broken = json.testResults.filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed')).length;
    results.passed += json.numPassedTests;
    results.failed += json.numFailedTests + broken;
    results.skipped += json.numPendingTests + json.numTodoTests;
  } else {
    notes.push('vitest ended without a report');
    results.failed += 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

for (const note of notes) console.log(note);
console.log(`${results.passed} passed, ${results.failed} failed${results.skipped > 0 ? `, ${results.skipped} skipped` : ''}`);
process.exitCode = results.failed === 0 ? 0 : 1;
