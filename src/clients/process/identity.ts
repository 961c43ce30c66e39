import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ProcessIdentity } from './port.js';

/** One process as the kernel lists it. */
export interface ProcessFacts {
  readonly pid: number;
  readonly group: number;
  readonly startTime: string;
  /** A zombie: it has ended and only waits for its parent to ask. */
  readonly ended: boolean;
}

const linux = process.platform === 'linux';

/** undefined when there is no such process. Linux: proc(5), fields 3, 5 and 22 of stat; elsewhere ps(1). */
export async function processFacts(pid: number): Promise<ProcessFacts | undefined> {
  return linux ? fromProc(pid) : (await fromPs(['-p', String(pid)]))[0];
}

export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const facts = await processFacts(pid);
  return facts === undefined || facts.ended ? undefined : { pid, startTime: facts.startTime };
}

/** Every process that we can see. */
export async function allProcesses(): Promise<readonly ProcessFacts[]> {
  if (!linux) return fromPs(['-A']);
  const found: ProcessFacts[] = [];
  for (const pid of pids()) {
    const facts = fromProc(pid);
    if (facts !== undefined) found.push(facts);
  }
  return found;
}

/** Pids of the processes whose environment holds every one of `variables` (`NAME=value`). Those of other users are left out. */
export async function processesWith(variables: readonly string[]): Promise<number[]> {
  if (linux) return pids().filter((pid) => hasAll(environment(pid), variables));
  const { stdout } = await promisify(execFile)('ps', ['-A', '-E', '-ww', '-o', 'pid=,command='], { maxBuffer: 1 << 26 });
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s(.*)$/.exec(line))
    .filter((match) => match !== null && hasAll((match[2] ?? '').split(' '), variables))
    .map((match) => Number(match?.[1]));
}

function hasAll(environment: readonly string[], variables: readonly string[]): boolean {
  return variables.every((variable) => environment.includes(variable));
}

/** Linux: the pids of all processes that the kernel lists. */
export function pids(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}

function environment(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function fromProc(pid: number): ProcessFacts | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { pid, ended: /^[ZX]/.test(fields[0] ?? ''), group: Number(fields[2]), startTime: fields[19] ?? '' };
}

async function fromPs(selection: readonly string[]): Promise<ProcessFacts[]> {
  let stdout: string;
  try {
    ({ stdout } = await promisify(execFile)('ps', [...selection, '-o', 'pid=,pgid=,stat=,lstart='], { env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' } }));
  } catch {
    return [];
  }
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*?)\s*$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ pid: Number(match[1]), group: Number(match[2]), ended: (match[3] ?? '').startsWith('Z'), startTime: match[4] ?? '' }));
}
