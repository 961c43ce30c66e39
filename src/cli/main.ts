import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { Command, CommanderError, Option } from 'commander';
import { packageRoot } from '../engine/package-root.js';
import { exitCodes } from './exit-codes.js';
import type { CommandIo } from './io.js';
import { recordCommands } from './record-commands.js';

/** Parses the command line and loads the one command that it names. Resolves to the exit code; never throws. */
export async function main(args: readonly string[], io: CommandIo = processIo()): Promise<number> {
  let code = 0;
  const program = commands(args, io, (result) => (code = result));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.passed : exitCodes.usage;
    return (await import('./failure.js')).reportFailure(error, io);
  }
}

function processIo(): CommandIo {
  // A closed terminal or pipe (EIO, EPIPE) ends nobody's drill; what cannot be shown stands in the journal.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // Node.js aborts at its exit when it cannot give a terminal its settings back; one that is gone is closed before.
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
  return { stdout: (text) => void process.stdout.write(text), stderr: (text) => void process.stderr.write(text), cwd: process.cwd(), env: process.env };
}

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}

function commands(args: readonly string[], io: CommandIo, done: (code: number) => void): Command {
  const collect = (value: string, all: string[] = []): string[] => [...all, value];
  const set = new Option('--set <name=value>', 'give an input of the runbook; repeatable').argParser(collect);
  const planFormat = () => new Option('--format <format>', 'how to print it').choices(['text', 'markdown', 'json']).default('text');
  const env = new Option('--env <environment>', 'the environment file: where the drill runs').makeOptionMandatory();

  const key = new Option('--key <file>', 'seal the bundle with this private key, or with the one in ssh-agent that this public key names (default: MUSTER_KEY)');
  const timestampUrl = new Option('--timestamp-url <url>', 'have an RFC 3161 authority date the seal (default: MUSTER_TIMESTAMP_URL)');

  const program: Command = new Command('muster')
    .description('Runs disaster-recovery drills from versioned runbooks and leaves evidence of the RTO and RPO that were really achieved.')
    .version(version(), '-V, --version')
    .helpCommand(false)
    .showSuggestionAfterError()
    .configureOutput({ writeOut: (text) => io.stdout(text), writeErr: (text) => io.stderr(text), outputError: (text, write) => write(text.replace(/^error: /, 'muster: ')) })
    .showHelpAfterError('`muster --help` lists the commands, `muster COMMAND --help` what one takes.')
    .exitOverride();
  program.addHelpText(
    'after',
    `
Exit codes: 0 passed; 1 the drill did not pass, or verify found a defect; 2 usage or an invalid document;
3 refused before the fault; 4 cancelled and cleaned up; 5 something was left behind; 70 internal error.`,
  );

  program
    .command('init <runbook> [folder]')
    .description('Copy a runbook and a commented environment to start from')
    .action(async (runbook: string, folder?: string) => done(await (await import('./init.js')).init({ runbook, folder }, io)));

  program
    .command('validate <document...>')
    .description('Check runbooks and environments and report everything that is wrong')
    .action(async (documents: string[]) => done(await (await import('./validate.js')).validate(documents, io)));

  program
    .command('plan <runbook>')
    .description('Show what a drill would do; starts nothing and writes nothing')
    .addOption(env)
    .addOption(set)
    .option('--out <file>', 'save the plan as JSON')
    .addOption(new Option('--evidence-dir <folder>', 'where earlier bundles are, for how long steps take').default('evidence'))
    .addOption(planFormat())
    .action(async (runbook: string, options: { env: string; set?: string[]; out?: string; evidenceDir: string; format: 'text' | 'markdown' | 'json' }) => {
      done(await (await import('./plan.js')).plan({ runbook, environment: options.env, set: options.set ?? [], out: options.out, evidenceDir: options.evidenceDir, format: options.format }, io));
    });

  program
    .command('approve <plan>')
    .description('Sign a saved plan, so that it may be run')
    .requiredOption('--key <file>', 'your SSH key (ed25519 or ecdsa), or its .pub when ssh-agent holds it')
    .option('--as <who>', "who you are; default: whom the environment's allowed signers say the key belongs to")
    .action(async (plan: string, options: { key: string; as?: string }) => done(await (await import('./approve.js')).approve({ plan, key: options.key, as: options.as }, io)));

  program
    .command('diff <old> <new>')
    .description('Show in what two saved plans differ; exits 0 when they say the same, 1 when not')
    .addOption(planFormat())
    .action(async (before: string, after: string, options: { format: 'text' | 'markdown' | 'json' }) => done(await (await import('./diff.js')).diff({ before, after, format: options.format }, io)));

  program
    .command('permissions <runbook>')
    .description('Print the least rights that a drill needs: SQL to run, Kubernetes roles, IAM policies, commands, paths')
    .addOption(env)
    .addOption(set)
    .option('--only <connection>', 'print what this connection needs alone, as its own system reads it (SQL, YAML, JSON)')
    .action(async (runbook: string, options: { env: string; set?: string[]; only?: string }) =>
      done(await (await import('./permissions.js')).permissions({ runbook, environment: options.env, set: options.set ?? [], ...(options.only === undefined ? {} : { only: options.only }) }, io)),
    );

  program
    .command('doctor')
    .description('Check what Muster needs on this machine and, with --env, what an environment needs')
    .option('--env <environment>', 'the environment file')
    .option('--json', 'print the checks as JSON', false)
    .action(async (options: { env?: string; json: boolean }) => done(await (await import('./doctor.js')).doctor({ environment: options.env, json: options.json }, io)));

  program
    .command('run [runbook]')
    .description('Run a drill, measure it, and leave a bundle of evidence')
    .addOption(new Option('--env <environment>', 'the environment file: where the drill runs'))
    .option('--plan <file>', 'run exactly this saved plan, once it is approved as the environment demands')
    .addOption(set)
    .option('--evidence-dir <folder>', 'where the bundle goes', 'evidence')
    .option('--answers <file>', 'prepared answers for manual steps (YAML)')
    .option('--closes <bundle>', 'the failed drill that this one repeats, mended')
    .option('--keep', 'leave the restored system up; muster cleanup removes it', false)
    .option('--json', 'stream the events to stdout, one JSON object a line', false)
    .option('--yes', 'never prompt', false)
    .option('--detach', 'run on its own and print the run\'s id; see attach', false)
    .addOption(key)
    .addOption(timestampUrl)
    .action(async (runbook: string | undefined, options: { env?: string; plan?: string; set?: string[]; evidenceDir: string; answers?: string; closes?: string; keep: boolean; json: boolean; yes: boolean; detach: boolean; key?: string; timestampUrl?: string }) => {
      const { env: environment, plan, set: inputs = [], answers, detach, ...rest } = options;
      if (detach) return done(await (await import('./detach.js')).detach(args, io));
      done(await (await import('./run.js')).run({ runbook, environment, plan, set: inputs, answers, ...rest }, io));
    });

  program
    .command('verify <bundle>')
    .description('Check a bundle (folder, .zip, .tar.gz), or a folder of bundles, and derive its verdict again')
    .option('--allowed-signers <file>', 'whose seals count (ssh-keygen format)')
    .option('--timestamp-ca <file>', 'root certificate of the timestamp authority (PEM); a timestamp is then required')
    .action(async (path: string, options: { allowedSigners?: string; timestampCa?: string }) => done(await (await import('./verify.js')).verify({ path, ...options }, io)));

  program
    .command('seal <bundle>')
    .description('Sign a bundle that was left unsigned')
    .addOption(key)
    .addOption(timestampUrl)
    .action(async (bundle: string, options: { key?: string; timestampUrl?: string }) => done(await (await import('./seal.js')).seal({ bundle, ...options }, io)));

  program
    .command('pack <bundle>')
    .description('Write a bundle as a zip that is the same byte for byte every time')
    .option('--out <file>', 'where to; beside the bundle by default')
    .action(async (bundle: string, options: { out?: string }) => done(await (await import('./pack.js')).pack({ bundle, ...options }, io)));

  program
    .command('keygen')
    .description('Make a key to seal and approve with, and print its line for allowed_signers')
    .option('--out <file>', 'the private key; the public one goes to <file>.pub', 'muster-key')
    .addOption(new Option('--type <type>', 'of the key').choices(['ed25519', 'ecdsa']).default('ed25519'))
    .option('--as <who>', 'whose key it is, sam@example.org; default: your account and this host')
    .action(async (options: { out: string; type: 'ed25519' | 'ecdsa'; as?: string }) => done(await (await import('./keygen.js')).keygen(options, io)));

  program
    .command('report <bundle>')
    .description('Print the report of a bundle')
    .addOption(new Option('--format <format>', 'how to print it').choices(['html', 'markdown', 'json', 'junit', 'oscal', 'csv', 'pdf']).default('markdown'))
    .option('--out <file>', 'write it to a file')
    .option('--findings <file>', 'findings.yaml: add owner, due day, ticket and state of each finding')
    .option('--allowed-signers <file>', 'with --findings: whose acceptances of a risk count')
    .action(async (bundle: string, options: { format: string; out?: string; findings?: string; allowedSigners?: string }) => done(await (await import('./report.js')).report({ bundle, ...options }, io)));

  program
    .command('review <bundle>')
    .description('Sign that you have read a bundle, and what you conclude; the seal stays as it is')
    .requiredOption('--key <file>', 'your SSH key (ed25519 or ecdsa), or its .pub when ssh-agent holds it')
    .option('--as <who>', 'who you are; default: whom the allowed signers say the key belongs to')
    .option('--reject', 'you do not accept it as evidence', false)
    .option('--comment <text>', 'why, or what should be done', '')
    .option('--allowed-signers <file>', 'whose keys are whose (ssh-keygen format)')
    .action(async (bundle: string, options: { key: string; as?: string; reject: boolean; comment: string; allowedSigners?: string }) => done(await (await import('./review.js')).review({ bundle, ...options }, io)));

  program
    .command('send <bundle>')
    .description('Tell others of a drill: an OpenTelemetry trace, a message to Slack or another webhook')
    .option('--otel', 'a trace of the drill, to where OTEL_EXPORTER_OTLP_ENDPOINT says', false)
    .option('--webhook <variable>', 'a message, to the address that this environment variable holds; repeatable', (value: string, all: string[]) => [...all, value], [])
    .addOption(new Option('--format <format>', 'of the message').choices(['slack', 'json']).default('slack'))
    .action(async (bundle: string, options: { otel: boolean; webhook: string[]; format: 'slack' | 'json' }) => done(await (await import('./send.js')).send({ bundle, ...options }, io)));

  program
    .command('amend <bundle>')
    .description('Print the runbook with what was done by hand inserted as steps, as a diff to review')
    .action(async (bundle: string) => done(await (await import('./amend.js')).amend({ bundle }, io)));

  program
    .command('watch')
    .description('Watch the existing systems of an environment and propose a profile of the changes to expect')
    .addOption(env)
    .option('--for <duration>', 'how long', '10m')
    .action(async (options: { env: string; for: string }) => done(await (await import('./watch.js')).watch({ environment: options.env, duration: options.for }, io)));

  program
    .command('steps [type]')
    .description('List the step, probe and provisioner types, or show the reference of one')
    .action(async (type?: string) => done((await import('./steps.js')).steps(type, io)));

  program
    .command('ps')
    .description('List the runs that are under way or were not cleaned up')
    .action(async () => done(await (await import('./ps.js')).ps(io)));

  program
    .command('attach <run>')
    .description('Follow a run that is under way; Ctrl-C ends the looking, not the run')
    .option('--who <name>', 'who follows it; default: the user')
    .action(async (run: string, options: { who?: string }) => done(await (await import('./attach.js')).attach(run, { who: options.who }, io)));

  program
    .command('note <run>')
    .description('Say that something was changed by hand during a run that is under way')
    .requiredOption('--manual <text>', 'what was changed')
    .option('--who <name>', 'who did it; default: the user')
    .action(async (run: string, options: { manual: string; who?: string }) => done(await (await import('./note.js')).note(run, { manual: options.manual, who: options.who }, io)));

  program
    .command('resume <run>')
    .description('Go on with a run whose process died, or say why that cannot be')
    .addOption(set)
    .option('--json', 'stream the events to stdout, one JSON object a line', false)
    .option('--yes', 'never prompt', false)
    .addOption(key)
    .addOption(timestampUrl)
    .action(async (run: string, options: { set?: string[]; json: boolean; yes: boolean; key?: string; timestampUrl?: string }) => done(await (await import('./resume.js')).resume(run, { ...options, set: options.set ?? [] }, io)));

  program
    .command('cleanup <run>')
    .description('Remove what a run has left, and write the bundle of one whose process died')
    .addOption(set)
    .addOption(key)
    .addOption(timestampUrl)
    .action(async (run: string, options: { set?: string[]; key?: string; timestampUrl?: string }) => done(await (await import('./cleanup.js')).cleanup(run, { ...options, set: options.set ?? [] }, io)));

  program
    .command('help [command]', { hidden: true })
    .description('Show what a command takes')
    .action((name?: string) => {
      const asked = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (asked === undefined) program.error(`error: unknown command '${name}'`, { exitCode: exitCodes.usage });
      else io.stdout(asked.helpInformation());
    });

  recordCommands(program, io, done);

  return program;
}
