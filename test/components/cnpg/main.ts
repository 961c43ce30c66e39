import { spawn } from 'node:child_process';
import { Operator } from './operator/operator.js';
import { markerName, openPlace } from './postgres/place.js';
import type { Answer, Call, Start } from './channel.js';

// When this process ends, however it ends, the guardian reads the end of its input: it then ends every server that carries our mark
// and removes the folder.
const guardian = `cat > /dev/null; for p in /proc/[0-9]*; do if tr '\\0' '\\n' 2>/dev/null < $p/environ | grep -qxF "$MARK"; then kill -9 "\${p#/proc/}"; fi; done; sleep 0.2; rm -rf "$FOLDER"`;

async function run(start: Start): Promise<Operator> {
  const { folder, kubeconfigs, nodePrefix, leaseSeconds } = start;
  const guard = spawn('/bin/sh', ['-c', guardian], { detached: true, cwd: '/', env: { PATH: '/usr/bin:/bin', MARK: `${markerName}=${folder}`, FOLDER: folder }, stdio: ['pipe', 'ignore', 'ignore'] });
  guard.unref();
  const operator = new Operator({ kubeconfigs, place: await openPlace(folder), nodePrefix, leaseSeconds });
  await operator.start();
  return operator;
}

function answer(message: Answer): void {
  process.send?.(message);
}

let operator: Operator | undefined;

const endMs = 10_000;

/** What is left when this takes too long is the guardian's. */
async function end(): Promise<void> {
  setTimeout(() => process.exit(1), endMs).unref();
  await operator?.stop().catch(() => undefined);
  process.exit(0);
}

async function perform(call: Call): Promise<unknown> {
  if (call.method === 'start') {
    operator = await run(call.start);
    return undefined;
  }
  if (operator === undefined) throw new Error('the operator was not started');
  if (call.method === 'stop') return operator.stop();
  const method: (...args: never[]) => Promise<unknown> = operator[call.method].bind(operator);
  return method(...(call.args as never[]));
}

process.on('message', (call: Call) => {
  perform(call).then(
    (value) => answer({ id: call.id, value }),
    (error: unknown) => answer({ id: call.id, error: error instanceof Error ? error.message : String(error) }),
  );
});
// The process of the tests is gone.
process.on('disconnect', () => void end());
process.on('SIGTERM', () => void end());
