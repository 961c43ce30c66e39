import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { packageRoot } from '../engine/package-root.js';
import { exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';

/** Parses the command line and loads the one command that it names. Resolves to the exit code; never throws. */
export async function main(args: readonly string[], io: CommandIo = processIo()): Promise<number> {
  let code = 0;
  const program = commands(io, (result) => (code = result));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.passed : exitCodes.usage;
    return (await import('./failure.js')).reportFailure(error, io);
  }
}

function processIo(): CommandIo {
  return { stdout: (text) => void process.stdout.write(text), stderr: (text) => void process.stderr.write(text), cwd: process.cwd(), env: process.env };
}

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}

function commands(io: CommandIo, done: (code: number) => void): Command {
  const collect = (value: string, all: string[] = []): string[] => [...all, value];
  const set = new Option('--set <name=value>', 'give an input of the runbook; repeatable').argParser(collect);
  const env = new Option('--env <environment>', 'the environment file: where the drill runs').makeOptionMandatory();

  const program = new Command('muster')
    .description('Runs disaster-recovery drills from versioned runbooks and leaves evidence of the RTO and RPO that were really achieved.')
    .version(version(), '-V, --version')
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr, outputError: (text, write) => write(text.replace(/^error: /, 'muster: ')) })
    .exitOverride()
    .action(() => program.help({ error: true }));
  program.addHelpText(
    'after',
    `
Exit codes: 0 passed; 1 the drill did not pass, or verify found a defect; 2 usage or an invalid document;
3 refused before the fault; 4 cancelled and cleaned up; 5 something was left behind; 70 internal error.`,
  );

  program
    .command('plan <runbook>')
    .description('Show what a drill would do; starts nothing and writes nothing')
    .addOption(env)
    .addOption(set)
    .option('--out <file>', 'save the plan as JSON')
    .addOption(new Option('--format <format>', 'how to print it').choices(['text', 'markdown', 'json']).default('text'))
    .action(async (runbook: string, options: { env: string; set?: string[]; out?: string; format: 'text' | 'markdown' | 'json' }) => {
      done(await (await import('./plan.js')).plan({ runbook, environment: options.env, set: options.set ?? [], out: options.out, format: options.format }, io));
    });

  return program;
}
