import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processesWith } from '../../src/clients/process/identity.js';
import { packageRoot } from '../../src/engine/package-root.js';
import { environment, Place } from './lib.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const listens = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(socket.destroy() && true)).once('error', () => resolve(false));
  });

describe('--keep', () => {
  it('leaves the restored copy up, says how to remove it, can still pass, and cleanup removes it', async () => {
    const root = packageRoot();
    const { code, stdout, stderr } = await place.run(['run', join(root, 'runbooks/pitr-restore.yaml'), '--env', join(root, 'runbooks/environments/sandbox.yaml'), '--set', 'rows=1000', '--keep']);
    expect(stdout, stderr).toContain('PASSED');
    expect(code).toBe(0);
    const [run = ''] = place.runs();
    const port = Number(/postgres:copy {2}127\.0\.0\.1:(\d+)/.exec(stderr)?.[1]);
    expect(stderr).toContain(`muster cleanup ${run}`);
    expect(stdout).toContain('--keep left postgres:copy in place');
    expect(await listens(port)).toBe(true);
    const details = place.events(run).flatMap((event) => (event.type === 'connection.provisioned' && event.data.connection === 'source' ? [event.data.details] : []));
    expect(await listens(Number(details[0]?.['port']))).toBe(false);
    expect((await place.run(['ps'])).stdout).toMatch(new RegExp(`^${run} +kept +(npx )?muster cleanup`));
    expect((await place.run(['verify', join('evidence', run)])).code).toBe(0);
    expect((await place.run(['resume', run])).stderr).toContain('it had come to its end');

    expect((await place.run(['cleanup', run])).code).toBe(0);
    expect(await listens(port)).toBe(false);
    expect(await processesWith([`MUSTER_RUN=${run}`])).toEqual([]);
    expect(place.runs()).toEqual([]);
    expect((await place.run(['verify', join('evidence', run)])).code).toBe(0);
    expect((await place.run(['cleanup', run])).stderr).toContain(`Nothing is left of run ${run}`);
  });
});

describe('what a step leaves behind', () => {
  it('is listed with what removes it, fails the drill with 5, and stays known until cleanup has ended it', async () => {
    const book = join(place.cwd, 'daemon.yaml');
    // Leaves its group and its mark, so that the step's own cleanup does not find it.
    writeFileSync(
      book,
      `apiVersion: muster/v1
kind: Runbook
metadata: { name: daemon, version: 1.0.0, title: A step that leaves a daemon, owner: tests }
objectives: {}
fault: injected
requires: {}
steps:
  - { id: inject, phase: inject, uses: exec, with: { shell: sh, script: 'env -u MUSTER_MARK setsid sleep 300 > /dev/null 2>&1 < /dev/null &', effect: destroy } }
`,
    );
    const { code, stdout, stderr } = await place.run(['run', book, '--env', environment]);
    expect(stdout).toMatch(/residue: process: pid \d+/);
    const pid = /process {2}pid (\d+) {2}\(kill \1\)/.exec(stderr)?.[1];
    expect(pid).toBeDefined();
    expect(code).toBe(5);
    const [run = ''] = place.runs();
    expect((await place.run(['ps'])).stdout).toMatch(new RegExp(`^${run} +left over`));
    const cleaned = await place.run(['cleanup', run]);
    expect(cleaned.code, cleaned.stderr).toBe(0);
    expect(await processesWith([`MUSTER_RUN=${run}`])).toEqual([]);
    expect(existsSync(join(place.state, 'runs', run))).toBe(false);
  });
});
