// Builds a Kubernetes control plane and its hollow nodes from Debian's source package into a cache folder, once, and prints that folder.
// It then holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubemark. A folder named by KUBEBUILDER_ASSETS that
// holds all five is taken instead. Nothing is installed: `--packages` prints the Debian packages that
// building needs, `--built` the folder if it is there.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '1.20.2';
const source = `kubernetes=1.20.5+really${version}-1.1+deb12u1`;
const packages = ['golang-go', 'etcd-server', 'make', 'rsync', 'jq', 'xz-utils'];
const commands = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubemark'];
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'muster-tests');
// The number tells our own settings apart.
const folder = join(cache, `kubernetes-${version}-5`);
const given = process.env.KUBEBUILDER_ASSETS;

if (process.argv[2] === '--packages') {
  console.log(packages.join(' '));
} else if (process.argv[2] === '--built') {
  console.log([given, folder].find((directory) => directory && whole(directory)) ?? '');
} else if (process.argv[2] === '--build') {
  if (!whole(folder)) build();
} else {
  console.log(provide());
}

function whole(directory) {
  return [...commands, 'etcd'].every((name) => existsSync(join(directory, name)));
}

function provide() {
  if (given && whole(given)) return given;
  if (given) console.error(`KUBEBUILDER_ASSETS (${given}) lacks some of ${[...commands, 'etcd'].join(', ')}; versions are not mixed: taking our own.`);
  if (!whole(folder)) {
    const missing = ['go', 'etcd', 'make', 'rsync', 'jq', 'xz', 'apt-get', 'flock'].filter((program) => !onPath(program));
    if (missing.length > 0) {
      console.error(`Building Kubernetes needs ${missing.join(', ')}: apt-get install -y --no-install-recommends ${packages.join(' ')}`);
      process.exit(1);
    }
    mkdirSync(cache, { recursive: true });
    // The kernel gives the lock back when its holder dies, so that one process builds and the others wait for it.
    const { status } = spawnSync('flock', [`${folder}.lock`, process.execPath, fileURLToPath(import.meta.url), '--build'], { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) process.exit(status ?? 1);
  }
  return folder;
}

/** Whole or not at all: it is renamed to its name when everything is there. Holds the lock, so leftovers are of a build that died. */
function build() {
  const work = `${folder}.build`;
  const began = Date.now();
  console.error(`Building Kubernetes ${version} for the tests, once: about five minutes.`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    download(work);
    const tree = join(work, 'go/src/k8s.io/kubernetes');
    mkdirSync(tree, { recursive: true });
    const [tarball] = readdirSync(work).filter((name) => name.includes('.orig.tar.'));
    run(work, 'tar', ['-xf', tarball, '-C', tree, '--strip-components=1']);
    const env = {
      PATH: process.env.PATH,
      HOME: work,
      TMPDIR: work,
      GOPATH: join(work, 'go'),
      GOCACHE: join(work, 'cache'),
      GO111MODULE: 'off',
      CGO_ENABLED: '0',
    };
    adaptHollowNodes(tree);
    mendMapIteration(tree);
    say(began, 'generating code');
    run(tree, 'make', ['generated_files'], env);
    const built = join(work, 'built');
    mkdirSync(built);
    for (const command of commands) {
      say(began, command);
      run(tree, 'go', ['build', '-ldflags', linkerFlags(), '-o', join(built, command), `./cmd/${command}`], env);
    }
    copyFileSync(onPath('etcd'), join(built, 'etcd'));
    rmSync(folder, { recursive: true, force: true });
    renameSync(built, folder);
    say(began, 'done');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Hollow nodes are kubelets without containers. As upstream sets them up all of one machine share a socket and keep their files in /tmp,
 * they attach volumes themselves, listen on every address, and a lost one is noticed late. Real clusters leave attaching to the
 * controller manager. To CSI drivers they name the path of the socket as authority, which only some HTTP/2 servers take.
 *
 * Two periods are shorter than a kubelet's, and nothing else of what it does is: it looks every second, not every ten, at what has changed on
 * its node (volumes in use) and at which pods it has taken down and may delete. The first is a setting, the second a constant.
 */
function adaptHollowNodes(tree) {
  replaceIn(join(tree, 'pkg/kubemark/hollow_kubelet.go'), {
    '"fmt"\n': '"fmt"\n\t"os"\n',
    'MakeTempDirOrDie("hollow-kubelet.", "")': 'MakeTempDirOrDie("kubelet.", os.TempDir())',
    'c.EnableControllerAttachDetach = false': 'c.EnableControllerAttachDetach = true',
    'c.NodeStatusUpdateFrequency.Duration = 10 * time.Second': 'c.NodeStatusUpdateFrequency.Duration, c.NodeLeaseDurationSeconds = time.Second, 8',
    'c.Address = "0.0.0.0"': 'c.Address = "127.0.0.1"',
  });
  replaceIn(join(tree, 'pkg/kubelet/cri/remote/fake/endpoint.go'), {
    'package fake\n': 'package fake\n\nimport "os"\n',
    'return defaultUnixEndpoint, nil': 'return "unix://" + os.TempDir() + "/runtime.sock", nil',
  });
  replaceIn(join(tree, 'pkg/kubelet/status/status_manager.go'), { 'const syncPeriod = 10 * time.Second': 'const syncPeriod = time.Second' });
  const authority = { 'grpc.WithInsecure(),': 'grpc.WithInsecure(), grpc.WithAuthority("localhost"),' };
  replaceIn(join(tree, 'pkg/kubelet/pluginmanager/operationexecutor/operation_generator.go'), authority);
  replaceIn(join(tree, 'pkg/volume/csi/csi_client.go'), authority);
}

/**
 * Its reflect2 is from before Go 1.18, since when the runtime wants to be given the iterator of a map: without this the API server
 * dies of SIGSEGV as soon as it stores a custom resource. The members are those of the runtime's own hiter.
 */
function mendMapIteration(tree) {
  const library = join(tree, 'vendor/github.com/modern-go/reflect2');
  replaceIn(join(library, 'unsafe_link.go'), {
    'm unsafe.Pointer) *hiter': 'm unsafe.Pointer, it *hiter)',
    '\t// rest fields are ignored\n': '\tplaces [6]unsafe.Pointer\n\tnumbers [4]uintptr\n',
  });
  replaceIn(join(library, 'unsafe_map.go'), {
    '\treturn &UnsafeMapIterator{\n': '\tit := new(hiter)\n\tmapiterinit(type2.rtype, *(*unsafe.Pointer)(obj), it)\n\treturn &UnsafeMapIterator{\n',
    'mapiterinit(type2.rtype, *(*unsafe.Pointer)(obj)),': 'it,',
  });
}

function replaceIn(file, changes) {
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    text = text.replace(from, to);
  }
  writeFileSync(file, text);
}

/** The API server tells its clients this version; a plain build would call itself v0.0.0. */
function linkerFlags() {
  const [major, minor] = version.split('.');
  const values = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: 'archive' };
  const places = ['k8s.io/client-go/pkg/version', 'k8s.io/component-base/version'];
  return ['-s', '-w', ...places.flatMap((place) => Object.entries(values).map(([key, value]) => `-X k8s.io/kubernetes/vendor/${place}.${key}=${value}`))].join(' ');
}

/** With lists and sources of its own, so that this machine needs no deb-src line; apt checks the archive's signature and the digests. */
function download(work) {
  mkdirSync(join(work, 'lists/partial'), { recursive: true });
  mkdirSync(join(work, 'archives/partial'), { recursive: true });
  writeFileSync(join(work, 'sources.list'), `deb-src [signed-by=${keyring}] ${debianArchive()} bookworm main\n`);
  writeFileSync(join(work, 'status'), '');
  const own = { 'Dir::Etc::SourceList': 'sources.list', 'Dir::State::Lists': 'lists', 'Dir::Cache': '.', 'Dir::State::status': 'status' };
  const options = [...Object.entries(own).map(([name, path]) => `${name}=${join(work, path)}`), 'Dir::Etc::SourceParts=/dev/null', 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
  run(work, 'apt-get', [...options, 'update']);
  run(work, 'apt-get', [...options, 'source', '--download-only', source]);
}

function run(cwd, command, args, env = process.env) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed (${error?.message ?? status}):\n${stdout.slice(-2000)}\n${stderr.slice(-4000)}`);
}

function say(began, what) {
  console.error(`  ${Math.round((Date.now() - began) / 1000)} s: ${what}`);
}

/** The path of a program, or undefined. */
function onPath(program) {
  return (process.env.PATH ?? '').split(':').filter(Boolean).map((directory) => join(directory, program)).find((path) => existsSync(path));
}

/** The archive that this machine's own Debian packages come from. */
function debianArchive() {
  const sites = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' }).split('\n');
  const archive = sites.map((site) => site.replace(/\/$/, '')).find((site) => site.endsWith('/debian'));
  if (archive === undefined) throw new Error('apt knows no Debian archive on this machine');
  return archive;
}
