import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import type { DrillEvent, EventOf } from '../../src/engine/events.js';
import { drill, removeFolders, scratch } from './harness.js';
import { somebody } from './somebody.js';

afterAll(removeFolders);

const profile = `apiVersion: muster/v1
kind: Profile
metadata: { name: shop, title: What the shop does by itself }
expect:
  - { name: The shop sells, system: postgres, actor: "^shop \\\\(" }
`;

const opened = (event: DrillEvent): event is EventOf<'endpoint.opened'> => event.type === 'endpoint.opened' && event.data.endpoint === 'app';

/** An hour beside a busy database, compressed: everything that happens now and then happens all the time. */
test('autovacuum, checkpoints, an application and a scheduled job beside the drill raise no alarm', { timeout: 120_000 }, async () => {
  const shop = join(await scratch(), 'shop.yaml');
  await writeFile(shop, profile);
  const settings = { autovacuum_naptime: '1s', autovacuum_vacuum_threshold: '1', autovacuum_analyze_threshold: '1', autovacuum_vacuum_scale_factor: '0', checkpoint_timeout: '30s', archive_timeout: '1s' };
  const written = { shop: 0, pg_cron: 0 };
  const judged = await drill({
    watched: true,
    environment: (environment) => {
      const { connections, watch = {} } = environment;
      for (const name of ['source', 'copy']) Object.assign(connections[name] ?? {}, { with: { ...connections[name]?.with, settings } });
      watch.profiles = ['postgres', shop];
      environment.stableFor = '3s';
    },
    beside: async (live) => {
      const { copy, password } = await somebody(live);
      const app = (await live.until(opened)) as EventOf<'endpoint.opened'>;
      let over = false;
      void live.ended.then(() => (over = true), () => (over = true));
      const work = async (name: keyof typeof written, sql: string): Promise<void> => {
        while (!over) {
          const client = new pg.Client({ host: '127.0.0.1', port: app.data.port, user: copy.user, database: copy.database, password, application_name: name, connectionTimeoutMillis: 500 });
          client.on('error', () => undefined);
          try {
            await client.connect();
            for (let n = 0; n < 20 && !over; n += 1) {
              await client.query(sql);
              written[name] += 1;
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
          } catch {
            // The service is down, or not there yet: a client tries again.
            await new Promise((resolve) => setTimeout(resolve, 50));
          } finally {
            await client.end().catch(() => undefined);
          }
        }
      };
      await Promise.all([
        work('shop', 'CREATE TABLE IF NOT EXISTS baskets (id bigserial, item text); INSERT INTO baskets (item) VALUES (md5(random()::text)); UPDATE baskets SET item = upper(item) WHERE id % 7 = 0'),
        work('pg_cron', 'CREATE TABLE IF NOT EXISTS daily (at timestamptz, n bigint); INSERT INTO daily SELECT now(), count(*) FROM pg_class'),
      ]);
    },
  });
  expect(judged.drill.reasons).toEqual([]);
  expect(judged.of('watch.gap')).toEqual([]);
  expect(written.shop).toBeGreaterThan(50);
  expect(written.pg_cron).toBeGreaterThan(50);
  const allowed = new Set(judged.of('watch.observed').map(({ data }) => data.allowedBy));
  expect(allowed).toContain('shop: The shop sells');
  expect(allowed).toContain('postgres: Scheduled jobs run');
});
