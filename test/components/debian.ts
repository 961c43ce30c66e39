import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/** Installs Debian packages unless `file` is there. Resolves to what to do by hand when it may not or cannot. */
export async function debianPackages(packages: readonly string[], file: string): Promise<string | undefined> {
  if (existsSync(file)) return undefined;
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (process.geteuid?.() !== 0 || !existsSync('/etc/debian_version')) return `Get it with: sudo ${command}`;
  process.stderr.write(`installing for the tests: ${packages.join(' ')}\n`);
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await promisify(execFile)('apt-get', ['update'], { env });
    await promisify(execFile)('apt-get', command.split(' ').slice(1), { env, maxBuffer: 1 << 26 });
  } catch (error) {
    return `${command} failed: ${error instanceof Error ? error.message : String(error)}`;
  }
  return existsSync(file) ? undefined : `${command} did not bring ${file}`;
}
