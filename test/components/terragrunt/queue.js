// The run queue: units in the order of their dependencies (against it for destroy), as many side by side as allowed; retries and
// ignored errors as the units' `errors` blocks say; and the report of all that.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const csvFields = ['Name', 'Started', 'Ended', 'Result', 'Reason', 'Cause', 'Ref', 'Cmd', 'Args'];

/** The first unit's outputs are those of its state; before there are any, its mocks where the command may have them. */
async function dependencyOutputs(unit, command, byFolder, log) {
  const known = {};
  for (const { name, folder, mocks, allowed, skip } of unit.config.dependencies) {
    const dependency = byFolder.get(folder);
    if (dependency === undefined) throw new Error(`${unit.name}: there is no unit ${folder}`);
    const real = skip ? {} : await dependency.outputs();
    const mayMock = mocks !== undefined && (allowed === undefined || allowed.includes(command));
    if (Object.keys(real).length === 0 && mayMock) log('WARN', unit, `Config ${folder} is a dependency of ${unit.config.file} that has no outputs, but mock outputs provided and returning those in dependency output.`);
    if (Object.keys(real).length === 0 && !mayMock && !skip) throw new Error(`${folder}/terragrunt.hcl is a dependency of ${unit.config.file} but detected no outputs. Either the target module has not been applied yet, or the module has no outputs.`);
    known[name] = { outputs: Object.keys(real).length === 0 && mayMock ? mocks : real };
  }
  return { dependency: known };
}

/** Where saved plans are, as documented: <out-dir>/<unit>/tfplan.tfplan and <json-out-dir>/<unit>/tfplan.json. */
function argsFor(unit, [command, ...args], { outDir }) {
  if (outDir === undefined) return command === 'apply' || command === 'destroy' ? [command, '-auto-approve', ...args] : [command, ...args];
  const file = join(outDir, unit.name, 'tfplan.tfplan');
  if (command === 'plan') {
    mkdirSync(dirname(file), { recursive: true });
    return [command, ...args, `-out=${file}`];
  }
  return command === 'apply' ? [command, '-auto-approve', ...args, file] : [command, ...args];
}

async function runOnce(unit, argv, options, byFolder) {
  await unit.prepare();
  const [command] = argv;
  const names = command === 'state' || command === 'output' || command === 'force-unlock' ? undefined : await dependencyOutputs(unit, command, byFolder, options.log);
  const inputs = names === undefined ? {} : unit.config.inputs(names);
  const flags = ['plan', 'apply', 'destroy'].includes(command) ? ['-input=false'] : [];
  const [name, ...args] = argsFor(unit, argv, options);
  const done = await unit.terraform([name, ...flags, ...args], inputs, (line, stream) => options.onLine(line, stream, unit));
  if (done.code !== 1 && command === 'plan' && options.outDir !== undefined && options.jsonOutDir !== undefined) {
    const shown = await unit.terraform(['show', '-json', join(options.outDir, unit.name, 'tfplan.tfplan')], {});
    const file = join(options.jsonOutDir, unit.name, 'tfplan.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, shown.stdout);
  }
  return done;
}

const fits = (patterns, text) => patterns.some((pattern) => !pattern.startsWith('!') && new RegExp(pattern, 's').test(text)) && !patterns.some((pattern) => pattern.startsWith('!') && new RegExp(pattern.slice(1), 's').test(text));

/** `{ code, result, reason, cause }` of one unit. */
async function runUnit(unit, argv, options, byFolder) {
  const { retry, ignore } = unit.config.rules;
  for (let attempt = 1; ; attempt += 1) {
    const done = await runOnce(unit, argv, options, byFolder).catch((error) => ({ code: 1, stderr: error.message, stdout: '' }));
    if (done.code !== 1 && attempt === 1) return { code: done.code, result: 'succeeded' };
    if (done.code !== 1) return { code: done.code, result: 'succeeded', reason: 'retry succeeded' };
    const said = `${done.stderr}\n${done.stdout}`;
    if (done.stderr !== '') options.log('ERROR', unit, done.stderr.trim());
    const again = options.stopping() ? undefined : retry.find(({ retryable_errors: patterns }) => fits(patterns, said));
    if (again !== undefined && attempt < again.max_attempts) {
      await pause(1000 * again.sleep_interval_sec);
      continue;
    }
    const ignored = ignore.find(({ ignorable_errors: patterns }) => fits(patterns, said));
    if (ignored !== undefined) {
      options.log('WARN', unit, ignored.message ?? `Ignoring error in ${ignored.name}`);
      return { code: 0, result: 'succeeded', reason: 'error ignored', cause: ignored.name };
    }
    return { code: 1, result: 'failed', reason: 'run error', cause: done.stderr.trim() || `exit code ${done.code}` };
  }
}

/** Runs `argv` in every unit of `units`. Exit code: any 1 -> 1, else any 2 -> 2. */
export async function runQueue(units, argv, options, byFolder) {
  const command = argv[0];
  const reversed = command === 'destroy' || (command === 'plan' && argv.includes('-destroy'));
  const waitsFor = (unit) => units.filter((other) => other !== unit && (reversed ? other.config.after.includes(unit.folder) : unit.config.after.includes(other.folder)));
  const report = [];
  const ended = new Map();
  const end = (unit, started, { result, reason, cause }) => {
    ended.set(unit, result);
    report.push({ Name: unit.name, Started: started, Ended: new Date().toISOString(), Result: result, ...(reason === undefined ? {} : { Reason: reason }), ...(cause === undefined ? {} : { Cause: cause }), Cmd: command, ...(argv.length > 1 ? { Args: argv.slice(1) } : {}) });
    if (options.reportFile !== undefined) writeReport(options, report);
  };
  const codes = new Set();
  const waiting = new Set(units);
  const working = new Set();
  while (waiting.size > 0 || working.size > 0) {
    for (const unit of waiting) {
      const before = waitsFor(unit);
      const lost = before.find((other) => ended.get(other) === 'failed' || ended.get(other) === 'early exit');
      if (unit.config.isExcluded(command)) {
        waiting.delete(unit);
        end(unit, new Date().toISOString(), { result: 'excluded', reason: 'exclude block' });
      } else if (lost !== undefined || options.stopping()) {
        waiting.delete(unit);
        end(unit, new Date().toISOString(), { result: 'early exit', reason: lost === undefined ? 'run error' : 'ancestor error', cause: lost?.name });
      } else if (working.size < options.parallelism && before.every((other) => ended.has(other))) {
        waiting.delete(unit);
        const started = new Date().toISOString();
        const work = runUnit(unit, argv, options, byFolder).then((done) => {
          codes.add(done.code);
          end(unit, started, done);
          working.delete(work);
        });
        working.add(work);
      }
    }
    if (working.size > 0) await Promise.race(working);
  }
  return codes.has(1) || options.stopping() ? 1 : codes.has(2) ? 2 : 0;
}

function writeReport({ reportFile, reportFormat }, runs) {
  const sorted = runs.toSorted((a, b) => (a.Started < b.Started ? -1 : 1));
  const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const format = reportFormat ?? (reportFile.endsWith('.json') ? 'json' : 'csv');
  const text = format === 'json' ? `${JSON.stringify(sorted, null, 2)}\n` : [csvFields, ...sorted.map((run) => csvFields.map((field) => quoted([run[field] ?? ''].flat().join(','))))].map((row) => `${row.join(',')}\n`).join('');
  writeFileSync(`${reportFile}.part`, text);
  renameSync(`${reportFile}.part`, reportFile);
}
