// Preloaded into a drill with --json: ends its process with SIGKILL right after the line KILL_AT of the journal is on disk and
// before anything else happens. KILL_AT is a number among the lines that are no samples, or a type, or a type and a step
// ("step.started restore"), whose first line counts.
const at = process.env.KILL_AT ?? '';
const samples = new Set(['probe.sample', 'ledger.row', 'ledger.recovered', 'lsn.sample', 'archive.sample']);
let seen = 0;
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text, ...rest) => {
  const done = write(text, ...rest);
  if (typeof text === 'string' && text.startsWith('{"seq"')) {
    const { type, step } = JSON.parse(text);
    if (!samples.has(type)) seen += 1;
    if (type === at || `${type} ${step}` === at || (!samples.has(type) && String(seen) === at)) process.kill(process.pid, 'SIGKILL');
  }
  return done;
};
