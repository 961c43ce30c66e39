import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Observed } from '../../bench/observer.js';
import { ownOf, requireOwnKubernetes } from '../components/kubernetes/index.js';
import { openStage, type Stage } from '../drills/cnpg.js';
import { drill, removeFolders, root, scratch, type Judged } from '../drills/harness.js';

const describe = await requireOwnKubernetes('a stand-in is the operator of CloudNativePG');
const drills = 10;

/** Of the audit log: when the API server was asked for the change that led to a revision. In ms since the epoch. */
async function changesByRevision(auditLog: string): Promise<ReadonlyMap<string, number>> {
  const lines = (await readFile(auditLog, 'utf8')).split('\n').filter((line) => line.includes('/clusters/'));
  const events = lines.map((line) => JSON.parse(line) as { requestReceivedTimestamp: string; verb: string; responseObject?: { metadata?: { resourceVersion?: string } } });
  return new Map(events.filter(({ verb }) => verb === 'patch').map(({ requestReceivedTimestamp, responseObject }) => [responseObject?.metadata?.resourceVersion ?? '', Date.parse(requestReceivedTimestamp)]));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe(`${drills} failovers, beside a client of its own that looks every 5 ms`, () => {
  let stage: Stage;
  const judged: Judged[] = [];
  const outages: number[] = [];

  beforeAll(async () => {
    stage = await openStage();
    const client = new pg.Client({ ...(await stage.cnpg.address('app-db-rw')), ...(await stage.cnpg.credentials('app-db', 'superuser')), database: 'app' });
    await client.connect();
    await client.query('CREATE TABLE looked_at (id int)');
    await client.end();
  }, 180_000);

  afterAll(async () => {
    await stage?.stop();
    await removeFolders();
  });

  it('all pass', async () => {
    const passFile = join(await scratch(), 'pgpass');
    for (let i = 0; i < drills; i += 1) {
      await stage.cnpg.healthy();
      const { host, port } = await stage.cnpg.address('app-db-rw');
      const { user, password } = await stage.cnpg.credentials('app-db', 'superuser');
      await writeFile(passFile, `${host}:${port}:*:${user}:${password}\n`, { mode: 0o600 });
      const observer = spawn(process.execPath, [join(root, 'dist/bench/observer.js'), host, String(port), 'looked_at'], { env: { PATH: process.env['PATH'], PGPASSFILE: passFile }, stdio: ['pipe', 'pipe', 'inherit'] });
      const said = text(observer.stdout);
      judged.push(await drill(stage.drill('cnpg-failover')));
      observer.stdin.end();
      outages.push((JSON.parse(await said) as Observed).outageMs ?? Number.NaN);
    }
    expect(judged.flatMap(({ codes }) => codes)).toEqual([]);
  }, 900_000);

  it('measures the recovery time as that client does, within the interval of the ledger and 20 ms', () => {
    const differences = judged.map(({ drill: { rto } }, i) => Math.abs((rto.restoredMs ?? Number.NaN) - (outages[i] ?? Number.NaN)));
    console.log(`outages of the client: ${outages.map((ms) => Math.round(ms)).join(' ')} ms; differences: ${differences.map((ms) => Math.round(ms)).join(' ')} ms`);
    expect(median(differences)).toBeLessThan(220);
  });

  it('sees a change of the Cluster within 50 ms of its request to the API server', async (context) => {
    const own = ownOf(stage.kubernetes, context, 'the audit log is read');
    const changes = await changesByRevision(own.auditLog);
    const delays = judged.flatMap(({ events }) =>
      events.flatMap((event) => {
        if (event.type !== 'evidence.recorded' || event.data.kind !== 'cluster-state') return [];
        const changed = changes.get((event.data.data as { revision: string }).revision);
        // The first state of a drill is older than the drill.
        const delay = changed === undefined ? Number.NaN : Date.parse(event.at) - changed;
        return delay < 10_000 ? [delay] : [];
      }),
    );
    console.log(`${delays.length} changes seen, median after ${median(delays)} ms`);
    expect(delays.length).toBeGreaterThan(drills * 3);
    expect(median(delays)).toBeLessThanOrEqual(50);
  });
});
