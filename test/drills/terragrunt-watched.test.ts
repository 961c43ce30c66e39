import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { terraformOnMoto } from '../components/terraform/index.js';
import { after, drill, removeFolders } from './harness.js';
import { pause, resume } from './terraform-rig.js';
import { bucket, startEstate, type Estate } from './terragrunt-rig.js';

const describe = await terraformOnMoto();

describe('the watcher of infrastructure on many units', () => {
  let estate: Estate;
  beforeAll(async () => {
    estate = await startEstate();
  });
  afterAll(async () => {
    await estate.stop();
    await removeFolders();
  });

  test('takes the rebuild for what it is, and names the file that a hand adds and the state that a hand writes', async () => {
    const judged = await drill(estate.drill({
      environment(environment) {
        environment.watch = { required: ['terraform'], settle: '0' };
        environment.boundary.commands = [...(environment.boundary.commands ?? []), 'sh'];
      },
      runbook: (runbook) => after(runbook, 'application', pause),
      async beside(live) {
        const folder = dirname(live.state);
        const { at } = await live.until((event) => event.type === 'step.finished' && event.step === 'application');
        // S3 tells when something was written in whole seconds: not in that in which a step was at work.
        await live.until((event) => event.type === 'step.started' && event.step === 'pause');
        writeFileSync(join(folder, 'estate', 'by-hand.hcl'), '# by hand\n');
        await secondOver(Date.parse(at));
        await raiseSerial(estate, 'network');
        await secondOver(Date.now());
        await resume(folder);
      },
    }));
    expect(judged.of('watch.observed').filter(({ data }) => data.ours).length).toBeGreaterThan(0);
    // A look takes long on a busy machine: it may have seen the folder before the file was there, and the state after it was written.
    const byHand = judged.of('watch.observed').filter(({ data }) => !data.ours).map(({ data }) => `${data.object}: ${data.change}`);
    expect(byHand.toSorted()).toEqual(['stack: file by-hand.hcl: added during the drill', expect.stringMatching(/^stack: state estate\/network\/terraform\.tfstate: serial \d+ written$/)]);
  });
});

async function secondOver(ms: number): Promise<void> {
  const next = (Math.floor(ms / 1000) + 1) * 1000;
  while (Date.now() <= next) await new Promise((resolve) => setTimeout(resolve, next + 1 - Date.now()));
}

/** Somebody pushes the state of a unit as it is, with the next serial. */
async function raiseSerial({ moto }: Estate, unit: string): Promise<void> {
  const s3 = new S3Client({ endpoint: moto.endpoint, region: 'eu-central-1', forcePathStyle: true, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } });
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `estate/${unit}/` }));
  const Key = Contents.map(({ Key: key = '' }) => key).find((key) => key.endsWith('.tfstate'));
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
  const text = (await Body?.transformToString()) ?? '';
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: text.replace(/"serial": (\d+)/, (_whole, serial: string) => `"serial": ${Number(serial) + 1}`) }));
  s3.destroy();
}
