// Unpacks python3-moto of Debian's sid into a cache folder, once, and prints the folder for PYTHONPATH. Nothing of sid is installed:
// apt gets lists and sources of its own. The libraries that it needs come from this Debian; `--packages` prints their names.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const version = '5.2.4-2';
const libraries = ['boto3', 'cryptography', 'flask', 'flask-cors', 'requests', 'responses', 'werkzeug', 'xmltodict', 'jinja2', 'dateutil', 'yaml'].map((name) => `python3-${name}`);
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'muster-tests', `moto-${version}`);
const modules = join(folder, 'usr/lib/python3/dist-packages');

if (process.argv[2] === '--packages') {
  console.log(libraries.join(' '));
} else {
  if (!existsSync(join(modules, 'moto'))) unpack();
  console.log(modules);
}

function unpack() {
  const work = mkdtempSync(join(tmpdir(), 'muster-moto-'));
  const run = (command, ...args) => execFileSync(command, args, { cwd: work, stdio: ['ignore', 'ignore', 'pipe'], maxBuffer: 1 << 26 });
  try {
    mkdirSync(join(work, 'lists/partial'), { recursive: true });
    mkdirSync(join(work, 'cache/archives/partial'), { recursive: true });
    writeFileSync(join(work, 'sources.list'), `deb [signed-by=${keyring}] ${debianArchive()} sid main\n`);
    writeFileSync(join(work, 'status'), '');
    const own = { 'Dir::Etc::SourceList': 'sources.list', 'Dir::State::Lists': 'lists', 'Dir::Cache': 'cache', 'Dir::State::status': 'status' };
    const options = [...Object.entries(own).map(([name, path]) => `${name}=${join(work, path)}`), 'Dir::Etc::SourceParts=/dev/null', 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
    run('apt-get', ...options, 'update');
    run('apt-get', ...options, 'download', `python3-moto=${version}`);
    const [file] = readdirSync(work).filter((name) => name.endsWith('.deb'));
    run('dpkg', '-x', file, 'unpacked');
    // Whole or not at all, also where two suites unpack it.
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(dirname(folder), { recursive: true });
    cpSync(join(work, 'unpacked'), fresh, { recursive: true });
    try {
      renameSync(fresh, folder);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      if (!existsSync(join(modules, 'moto'))) throw error;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The archive that this machine's own Debian packages come from. */
function debianArchive() {
  const sites = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' }).split('\n');
  const archive = sites.map((site) => site.replace(/\/$/, '')).find((site) => site.endsWith('/debian'));
  if (archive === undefined) throw new Error('apt knows no Debian archive on this machine');
  return archive;
}
