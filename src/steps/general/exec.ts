import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Type, type Static } from 'typebox';
import { defineStep, type Effect, type StepContext } from '../../engine/define-step.js';
import { messageOf, StepError } from '../../engine/errors.js';
import { inWords, isUnknown, membersOf } from '../../engine/plannable.js';
import { FixedText, literals, strict } from '../../engine/schema.js';
import { declaredChanges, DeclaredChanges } from './lib/changes.js';
import { removedTerragrunt, runbookFiles, typed, wholeArgv, workingDirectory } from './lib/command.js';

const outputLimit = 64 * 1024;
const effects = ['read', 'create', 'modify', 'destroy'] as const satisfies readonly Effect[];

const input = Type.Object(
  {
    argv: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'The program and its arguments, each passed as it is; with `script`, its $1, $2, ...' })),
    shell: Type.Optional(literals(['sh', 'bash'], { description: 'The shell that runs `script`, stopping at the first error' })),
    script: Type.Optional(FixedText('Shell text; it takes no template, values come in through `argv` or `env`')),
    cwd: Type.Optional(Type.String({ minLength: 1, description: "Working directory, from the runbook's folder on; default: that folder" })),
    env: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String(), { description: 'Added to PATH, HOME, LANG, TZ and MUSTER_RUN; nothing else is inherited' })),
    secretEnv: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), { minItems: 1, description: 'Variables of the environment that Muster was started in, passed on; their values are redacted everywhere' })),
    expectExit: Type.Optional(Type.Array(Type.Integer({ minimum: 0, maximum: 255 }), { minItems: 1, default: [0], description: 'Exit codes that are no failure' })),
    outputs: Type.Optional(literals(['text', 'json'], { default: 'text', description: 'json: stdout must be one JSON value, which becomes the output `json`' })),
    effect: literals(effects, { description: 'What the command does to what it reaches' }),
    changes: Type.Optional(DeclaredChanges),
    health: Type.Optional(Type.String({ minLength: 1, description: 'Name of the health check that the exit code answers' })),
  },
  strict,
);

const output = Type.Object(
  {
    exitCode: Type.Integer(),
    stdout: Type.String({ description: 'Its last 64 KiB, without white space at the end' }),
    json: Type.Unknown({ description: 'With `outputs: json`; else null' }),
  },
  strict,
);

export const step = defineStep({
  type: 'exec',
  summary: 'Runs a program, or a script of a shell that is asked for by name. What it leaves running goes on, a service for example, and is ended after the drill.',
  input,
  output,
  effect: (given) => effects.find((effect) => effect === membersOf(given).effect) ?? 'modify',
  changes(given) {
    const { changes, effect, ...command } = membersOf(given);
    if (effect === 'read') return [];
    return changes === undefined ? [{ system: `command:${inWords(wholeArgv(command)[0])}`, object: '*' }] : declaredChanges(changes);
  },
  permissions: (given) => [{ system: 'command', command: inWords(isUnknown(given) ? given : wholeArgv(membersOf(given))[0]) }],
  evidence: ['health-checks'],
  examples: [
    { title: 'Ask a service whether it is well', with: { argv: ['systemctl', 'is-active', 'app'], effect: 'read', health: 'The application runs' } },
    { title: 'A script beside the runbook, with a value from an earlier step', with: { argv: ['sh', 'scripts/scale.sh', '{{ inputs.replicas }}'], effect: 'modify', changes: [{ system: 'nomad', object: 'job app' }] } },
    { title: 'A password that only the environment of Muster knows', with: { argv: ['/usr/local/bin/rotate'], secretEnv: ['VAULT_TOKEN'], effect: 'modify', changes: [{ system: 'vault', object: 'lease app' }] } },
    { title: 'A pipe, which needs a shell', with: { shell: 'bash', script: 'journalctl -u "$1" | tail -n 20', argv: ['app'], effect: 'read' } },
  ],
  cleanups: {
    end: {
      summary: 'Ends every process that the command started and that still runs, by a mark in its environment',
      async run(data, identity, ctx) {
        const { pid, startTime } = identity ?? {};
        if (typeof pid === 'number' && typeof startTime === 'string') await ctx.ports.process.end({ pid, startTime });
        if (typeof data['mark'] === 'string') await ctx.ports.process.endMarked(data['mark']);
      },
    },
  },
  plan(given, ctx) {
    const command = membersOf(given);
    const argv = isUnknown(given) ? [given] : wholeArgv(command);
    return {
      does: `Runs ${inWords(argv[0])}`,
      calls: [typed(argv)],
      undo: ['ends what the command left running'],
      files: runbookFiles(command, ctx.runbookDir),
    };
  },
  async preflight(given, ctx) {
    const program = isUnknown(given) ? given : wholeArgv(membersOf(given))[0];
    const id = `command ${inWords(program)}`;
    if (typeof program !== 'string') return [{ id, result: 'deferred', detail: 'not known before the run' }];
    const { cwd } = membersOf(given);
    if (cwd !== undefined && typeof cwd !== 'string') return [{ id, result: 'deferred', detail: 'its working directory is not known before the run' }];
    const file = await ctx.ports.process.which(program.includes('/') ? resolve(workingDirectory(cwd, ctx.runbookDir), program) : program);
    const removed = removedTerragrunt(membersOf(given));
    return [
      file === undefined ? { id, result: 'failed', detail: `${program} is not on this machine, or not in boundary.commands` } : { id, result: 'passed', detail: file },
      ...(removed === undefined ? [] : [{ id: `terragrunt ${removed}`, result: 'failed', detail: `Terragrunt 0.90 removed ${removed}: use the steps terragrunt.plan and terragrunt.apply, or terragrunt run --all` } as const]),
    ];
  },
  async run(given, ctx) {
    const [program, ...args] = wholeArgv(given).map(inWords);
    if (program === undefined) throw new StepError('bad-input', 'there is no program to run');
    const mark = randomUUID();
    const cleanup = await ctx.defer({ uses: 'exec/end', with: { mark } });
    try {
      const result = await ctx.ports.process.run(
        [program, ...args],
        {
          effect: given.effect,
          cwd: workingDirectory(given.cwd, ctx.runbookDir),
          env: given.env ?? {},
          secretEnv: given.secretEnv ?? [],
          okExitCodes: given.expectExit ?? [0],
          mark,
          onStart: (identity) => cleanup.confirm({ ...identity }),
          onLine: (line) => ctx.log(line),
        },
        ctx.signal,
      );
      await recordHealth(given, true, `exit code ${result.exitCode}`, ctx);
      const stdout = result.stdout.trimEnd().slice(-outputLimit);
      return { exitCode: result.exitCode, stdout, json: given.outputs === 'json' ? parsed(result.stdout) : null };
    } catch (error) {
      if (error instanceof StepError && error.code.startsWith('command-')) await recordHealth(given, false, messageOf(error), ctx);
      throw error;
    }
  },
});

async function recordHealth({ health }: Static<typeof input>, ok: boolean, detail: string, ctx: StepContext): Promise<void> {
  if (health !== undefined) await ctx.evidence('health-checks', { checks: [{ name: health, ok, detail }] });
}

function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch (error) {
    // The parser's own message quotes a piece of the text, which may be a piece of a secret.
    throw new StepError('output-not-json', 'stdout is not one JSON value', { cause: error });
  }
}
