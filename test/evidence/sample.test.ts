import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/engine/package-root.js';
import { parseAllowedSigners } from '../../src/evidence/ssh/allowed-signers.js';
import { verifyBundle } from '../../src/evidence/verify.js';
import { runReadme } from './lib/bundle.js';

const evidence = join(packageRoot(), 'evidence');
const signersFile = join(evidence, 'allowed_signers');
const [signer = ''] = readFileSync(signersFile, 'utf8').split(' ');
/** The bundle that README.md shows. */
const [name = ''] = /evidence\/(\d{8}T\d{6}Z-pitr-restore-[0-9a-f]{6})\/data\/report\.html\)/.exec(readFileSync(join(packageRoot(), 'README.md'), 'utf8'))?.slice(1) ?? [];

it('the sample bundle is there, and README.md leads to it', () => expect(readdirSync(evidence)).toContain(name));

it('the sample bundle holds by the commands in its README.txt', () => {
  const said = runReadme(join(evidence, name), { ALLOWED_SIGNERS: signersFile, SIGNER: signer });
  expect(said).toMatchObject({ code: 0, stderr: '' });
  expect(said.stdout).toContain(`Good "muster-drill" signature for ${signer}`);
});

it('the sample bundle holds by muster verify: rules or reports that say otherwise need a new one (npm run sample)', async () => {
  const { defects, seal } = await verifyBundle(join(evidence, name), { allowedSigners: parseAllowedSigners(readFileSync(signersFile, 'utf8'), signersFile) });
  expect(defects).toEqual([]);
  expect(seal?.principal).toBe(signer);
});
