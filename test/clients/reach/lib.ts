import { execFileSync } from 'node:child_process';

/** `ip` of iproute2, as root on Linux; else why not. */
export function routesMissing(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.geteuid?.() !== 0) return 'it needs root, to set routes';
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'Get it with: apt-get install iproute2';
  }
}

export const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
