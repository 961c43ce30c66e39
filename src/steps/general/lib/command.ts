import { statSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { inWords, isUnknown, knownText } from '../../../engine/plannable.js';
import { StepError } from '../../../engine/errors.js';

/** What `exec` runs, of which any part may wait for the run: a program with arguments, or a shell's script with arguments. */
export interface CommandInput {
  readonly argv?: unknown;
  readonly shell?: unknown;
  readonly script?: unknown;
  readonly cwd?: unknown;
}

/**
 * The whole argv. A script comes after `-c`, `argv` as its `$1`, `$2`, ...: values never become part of its text.
 * bash also fails where one command of a pipe fails. Throws StepError `bad-input`.
 */
export function wholeArgv({ argv, shell, script }: CommandInput): readonly [unknown, ...unknown[]] {
  const items: readonly unknown[] = isUnknown(argv) ? [argv] : Array.isArray(argv) ? argv : [];
  if ((shell === undefined) !== (script === undefined)) throw new StepError('bad-input', 'give `shell` and `script` together, or neither');
  if (shell !== undefined && script !== undefined) {
    const options = shell === 'bash' ? ['-euo', 'pipefail', '-c'] : ['-eu', '-c'];
    return [shell, ...options, script, 'script', ...items];
  }
  const [program, ...args] = items;
  if (program === undefined) throw new StepError('bad-input', 'give `argv` (the program and its arguments), or `shell` with `script`');
  return [program, ...args];
}

export function workingDirectory(cwd: string | undefined, runbookDir: string): string {
  return cwd === undefined ? runbookDir : resolve(runbookDir, cwd);
}

/** Arguments that name files below the runbook's folder, relative to it: their content is part of the plan. */
export function runbookFiles({ argv, cwd }: CommandInput, runbookDir: string): string[] {
  if (cwd !== undefined && knownText(cwd) === undefined) return [];
  const folder = workingDirectory(knownText(cwd), runbookDir);
  const files = (Array.isArray(argv) ? argv : []).flatMap((item: unknown) => {
    const text = knownText(item);
    if (text === undefined || text === '' || text.includes('\0')) return [];
    const file = resolve(folder, text);
    const name = relative(runbookDir, file);
    return name !== '' && !name.startsWith('..') && !isAbsolute(name) && statSync(file, { throwIfNoEntry: false })?.isFile() === true ? [name] : [];
  });
  return [...new Set(files)];
}

/** A command as one would type it; for reading, not for running. */
export function typed(argv: readonly unknown[]): string {
  return argv.map((item) => (typeof item === 'string' && !/^[\w./:=@%+,-]+$/.test(item) ? `'${item.replaceAll("'", `'\\''`)}'` : inWords(item))).join(' ');
}

/** Terragrunt's commands for many units that it has removed, as far as they can be read off the arguments or the script. */
export function removedTerragrunt({ argv, script }: CommandInput): string | undefined {
  const words = [knownText(script) ?? '', ...(Array.isArray(argv) ? argv : []).map((item: unknown) => knownText(item) ?? '')].join(' ');
  return /\bterragrunt\b[^;&|\n]*?\s((?:run|apply|plan|destroy|output|validate)-all)\b/.exec(words)?.[1];
}
