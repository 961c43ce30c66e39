import { execFile, execFileSync, spawn } from 'node:child_process';
import { cp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../src/engine/package-root.js';
import { muster, runNode } from './child.js';
import { inFolder } from './folder.js';
import { ratioInTurn, type BenchRow } from './row.js';

const rounds = 3;
const root = packageRoot();
/** Nothing else than what is built decides how long a rebuild takes: each part takes this long, as little as anything real does. */
const secondsEach = '8';

/** A rebuild as a drill against a shell script that makes the same calls of Terragrunt (its stand-in, with real Terraform). */
export async function rebuild(): Promise<BenchRow[]> {
  return inFolder(async (folder) => {
    const terragrunt = process.env['MUSTER_TEST_TERRAGRUNT'] ?? join(root, 'test/components/terragrunt/terragrunt');
    const aws = await startAws();
    try {
      const env = { ...process.env, AWS_ENDPOINT_URL_S3: aws.endpoint, AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'AKIABENCH00000000001', AWS_SECRET_ACCESS_KEY: 'of-the-bench', TF_VAR_seconds: secondsEach };
      delete (env as Record<string, string | undefined>)['TF_CLI_CONFIG_FILE'];
      const code = join(folder, 'estate');
      await cp(join(root, 'test/fixtures/estate'), code, { recursive: true });
      const git = (...args: string[]) => execFileSync('git', ['-c', 'user.name=Bench', '-c', 'user.email=bench@example.org', ...args], { cwd: code, stdio: 'pipe' });
      git('init', '--quiet');
      git('add', '--all');
      git('commit', '--quiet', '--message', 'Build the estate');
      let round = 0;
      const ours = async () => {
        const at = join(folder, `ours-${(round += 1)}`);
        const environment = await environmentFile(at, code, terragrunt, `ours-${round}`);
        const set = ['cnpg=cloudnative-pg', 'database=ha-supabase-db', 'application=supabase'].map((pair) => pair.replace(/=(.*)/, '=terraform_data.release["$1"]')).flatMap((pair) => ['--set', pair]);
        const args = [muster, 'run', join(root, 'runbooks/terragrunt-rebuild.yaml'), '--env', environment, '--evidence-dir', join(folder, 'evidence'), '--answers', join(folder, 'answers.yaml'), ...set];
        return (await runNode(args, { env: { ...env, MUSTER_STATE_DIR: join(folder, 'state') } })).ms;
      };
      const bare = async () => {
        const started = performance.now();
        await promisify(execFile)(join(root, 'bench/bare-rebuild.sh'), [terragrunt, code, join(folder, `bare-${(round += 1)}`)], { env: { ...env, STATE_BUCKET: `bare-${round}`, MUSTER_RUN: 'bench' }, maxBuffer: 1 << 28 });
        return performance.now() - started;
      };
      await writeFile(join(folder, 'answers.yaml'), 'review: { who: bench, attestation: looked at }\n');
      return [{ name: 'a rebuild of nine units against the same calls in a shell script', measured: await ratioInTurn(rounds, ours, bare), limit: 1.02, unit: 'x' }];
    } finally {
      await aws.stop();
    }
  });
}

async function environmentFile(at: string, directory: string, binary: string, bucket: string): Promise<string> {
  const file = `${at}.yaml`;
  const environment = {
    apiVersion: 'muster/v1',
    kind: 'Environment',
    metadata: { name: 'bench', sandbox: true },
    connections: {
      stack: { kind: 'infrastructure', role: 'target', provision: 'terragrunt', with: { directory, binary, parallelism: 4, env: { STATE_BUCKET: bucket }, mayDestroy: ['*'] } },
      state: { kind: 'bucket', role: 'target', provision: 's3-bucket', with: { bucket, bootstrap: true } },
    },
    boundary: { buckets: [bucket], commands: [binary, 'terraform'] },
    runbooks: 'any',
    stableFor: '1s',
  };
  await writeFile(file, JSON.stringify(environment));
  return file;
}

/** moto, as the tests have it. */
async function startAws(): Promise<{ readonly endpoint: string; stop(): Promise<void> }> {
  const modules = execFileSync(process.execPath, [join(root, 'tools/moto.js')], { encoding: 'utf8' }).trim();
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  const child = spawn('/usr/bin/python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { env: { PATH: process.env['PATH'], PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' }, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const endpoint = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${endpoint}/moto-api/`).then(({ ok }) => ok, () => false))) {
    if (child.exitCode !== null) throw new Error('moto could not be started: tools/test.js installs what it needs');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    endpoint,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
