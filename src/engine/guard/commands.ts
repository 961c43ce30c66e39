import { accessSync, constants, statSync } from 'node:fs';
import { basename, delimiter, isAbsolute, join } from 'node:path';
import { isWithin, realOf } from './paths.js';

/** A program that may run: by its real file and by the name that it is called with (one file may be many programs). */
interface AllowedProgram {
  readonly real: string;
  readonly names: readonly string[];
}

/** Turns boundary.commands into programs; a bare name is looked up along `path` now, and never again. */
export function allowedPrograms(commands: readonly string[], path: string): AllowedProgram[] {
  return commands.flatMap((command) => {
    const file = isAbsolute(command) ? command : command.includes('/') ? undefined : lookUp(command, path);
    const real = file === undefined ? undefined : tried(file);
    return file === undefined || real === undefined ? [] : [{ real, names: [basename(file), basename(real)] }];
  });
}

export function isAllowedProgram(allowed: readonly AllowedProgram[], file: string): boolean {
  const real = tried(file);
  return real !== undefined && allowed.some((program) => program.real === real && program.names.includes(basename(file)));
}

/** Is `file` one of these programs, or in one of these folders of programs? */
export function isOwnProgram(programs: readonly string[], file: string): boolean {
  const real = tried(file);
  return real !== undefined && programs.some((program) => {
    const root = tried(program);
    return root !== undefined && isWithin(root, real);
  });
}

function lookUp(name: string, path: string): string | undefined {
  return path.split(delimiter).filter(isAbsolute).map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function tried(file: string): string | undefined {
  try {
    return realOf(file);
  } catch {
    return undefined;
  }
}

/** Variables that make a program load or run something that argv does not show. */
const loaders = /^(LD_.*|DYLD_.*|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4|IFS|NODE_OPTIONS|NODE_PATH|PERL5OPT|PERL5LIB|PERL5DB|PYTHONSTARTUP|PYTHONPATH|PYTHONHOME|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|GIT_.*|SSH_ASKPASS|EDITOR|VISUAL|PAGER|PSQL_.*|PSQLRC|GCONV_PATH|BASH_FUNC_.*)$/;
/** Where they lead cannot be told from their value. */
const redirections = /^(PGSERVICE|PGSERVICEFILE|PGSYSCONFDIR|HTTPS?_PROXY|https?_proxy|ALL_PROXY|all_proxy|MUSTER_RUN|MUSTER_STEP|MUSTER_MARK)$/;

/** The variable of a child's environment that would lead it out of what argv says. */
export function escapingVariable(env: Readonly<Record<string, string>>): string | undefined {
  return Object.keys(env).find((name) => loaders.test(name) || redirections.test(name) || name.includes('=') || name === '');
}
