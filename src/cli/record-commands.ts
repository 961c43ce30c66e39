import { Option, type Command } from 'commander';
import type { CommandIo } from './io.js';

/** The commands about many drills: the record over the quarters. Each loads its module when it is called. */
export function recordCommands(program: Command, io: CommandIo, done: (code: number) => void): void {
  const evidenceDir = new Option('--evidence-dir <folder>', 'where the bundles are').default('evidence');
  const signers = new Option('--allowed-signers <file>', 'whose signatures count (ssh-keygen format)');
  const format = (...choices: string[]) => new Option('--format <format>', 'how to print it').choices(choices).default('text');

  program
    .command('history')
    .description('Past drills with their verdicts, RTO and RPO')
    .option('--runbook <name>', 'only the drills of this runbook')
    .addOption(evidenceDir)
    .option('--store <where>', 'ask this evidence store, a folder or s3://bucket/prefix, which runs left no bundle')
    .addOption(format('text', 'csv', 'json', 'prometheus'))
    .action(async (options: { runbook?: string; evidenceDir: string; store?: string; format: string }) => done(await (await import('./history.js')).history(options, io)));

  program
    .command('status [runbook...]')
    .description('Which runbooks are due, overdue, never run, or changed since their last pass; 1 when any is overdue')
    .addOption(evidenceDir)
    .option('--as-of <time>', 'as it was, or will be, on that day')
    .option('--grace <duration>', 'how long a drill may be late; default: by its cadence')
    .addOption(format('text', 'json'))
    .action(async (runbooks: string[], options: { evidenceDir: string; asOf?: string; grace?: string; format: string }) => done(await (await import('./status.js')).status({ runbooks, ...options }, io)));

  program
    .command('compare <before> <after>')
    .description('Which steps made recovery slower or faster, and what changed between two drills')
    .addOption(format('text', 'markdown', 'json'))
    .action(async (before: string, after: string, options: { format: string }) => done(await (await import('./compare.js')).compare({ before, after, ...options }, io)));

  program
    .command('controls')
    .description('Which drill is a record for which control; it does not assess compliance')
    .option('--mapping <file>', 'a mapping of your own, beside those shipped; repeatable', (value: string, all: string[]) => [...all, value], [])
    .option('--framework <name>', 'only this framework; repeatable', (value: string, all: string[]) => [...all, value], [])
    .addOption(evidenceDir)
    .addOption(signers)
    .option('--as-of <time>', 'as it was on that day')
    .addOption(format('text', 'markdown', 'json'))
    .action(async (options: { mapping: string[]; framework: string[]; evidenceDir: string; allowedSigners?: string; asOf?: string; format: string }) => done(await (await import('./controls.js')).controls(options, io)));

  program
    .command('findings')
    .description('What drills found and nobody has closed yet; 1 when one is overdue or a claim does not hold')
    .option('--file <file>', 'owners, due dates, tickets and what closes a finding', 'findings.yaml')
    .option('--all', 'closed and accepted ones as well', false)
    .addOption(evidenceDir)
    .addOption(signers)
    .option('--as-of <time>', 'as it was, or will be, on that day')
    .addOption(format('text', 'markdown', 'json'))
    .option('--accept <finding>', 'write a signed acceptance of its risk')
    .option('--until <day>', 'with --accept: until when')
    .option('--because <text>', 'with --accept: why')
    .option('--key <file>', 'with --accept: whose key signs it')
    .action(async (options: FindingsOptions) => done(await (await import('./findings.js')).findings(options, io)));
}

interface FindingsOptions {
  file: string;
  all: boolean;
  evidenceDir: string;
  allowedSigners?: string;
  asOf?: string;
  format: string;
  accept?: string;
  until?: string;
  because?: string;
  key?: string;
}
