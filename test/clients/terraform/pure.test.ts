import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { differingAttributes } from '../../../src/clients/terraform/attributes.js';
import { inputVariables, toolEnvironment } from '../../../src/clients/terraform/environment.js';
import { failure } from '../../../src/clients/terraform/errors.js';
import { announcedLocks, ownLock } from '../../../src/clients/terraform/locks.js';
import { readMessage } from '../../../src/clients/terraform/messages.js';
import { planFacts } from '../../../src/clients/terraform/plan-facts.js';
import { stateFacts, withSerial } from '../../../src/clients/terraform/state.js';
import { checkVersion, readVersion } from '../../../src/clients/terraform/versions.js';

const folder = mkdtempSync(join(tmpdir(), 'muster-terraform-pure-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the environment of a child', () => {
  test('gets credentials as secrets, endpoints and inputs; nothing that changes what the arguments say', () => {
    const given = { AWS_SECRET_ACCESS_KEY: 's', AWS_ENDPOINT_URL_S3: 'http://x', AWS_PROFILE: 'p', TF_VAR_release: '2', TF_CLI_ARGS_apply: '-auto-approve', TF_WORKSPACE: 'prod', TF_LOG: 'trace', TF_DATA_DIR: '/x', HOME: '/root', TF_TOKEN_app_example: 't' };
    const { env, secretEnv } = toolEnvironment(given);
    expect(env).toEqual({ TF_IN_AUTOMATION: '1', TF_INPUT: '0', CHECKPOINT_DISABLE: '1', AWS_ENDPOINT_URL_S3: 'http://x', AWS_PROFILE: 'p', TF_VAR_release: '2' });
    expect(secretEnv).toEqual(['AWS_SECRET_ACCESS_KEY', 'TF_TOKEN_app_example']);
    expect(inputVariables(given)).toEqual(['TF_VAR_release']);
  });

  test('leaves out a configuration file that is not there', () => {
    const file = join(folder, 'terraformrc');
    expect(toolEnvironment({ TF_CLI_CONFIG_FILE: file }).env).not.toHaveProperty('TF_CLI_CONFIG_FILE');
    writeFileSync(file, '');
    expect(toolEnvironment({ TF_CLI_CONFIG_FILE: file }).env).toHaveProperty('TF_CLI_CONFIG_FILE', file);
  });
});

describe('a plan', () => {
  const change = (actions: string[], more: object = {}) => ({ address: `r.${actions.join('-')}`, change: { actions, before: {}, after: {}, ...more } });
  test('is counted by what it does; both orders of a replacement are one', () => {
    const { counts, changes, errored, complete, applyable, failedChecks } = planFacts(JSON.stringify({ errored: true, complete: false, applyable: false, resource_changes: [['create'], ['update'], ['delete'], ['delete', 'create'], ['create', 'delete'], ['forget'], ['no-op'], ['read']].map((actions) => change(actions)), checks: [{ address: { to_display: 'check.up' }, status: 'fail' }, { address: { to_display: 'check.ok' }, status: 'pass' }] }));
    expect(counts).toEqual({ create: 1, update: 1, replace: 2, destroy: 1, forget: 1, read: 1 });
    expect(changes.map(({ address }) => address)).not.toContain('r.read');
    expect({ errored, complete, applyable, failedChecks }).toEqual({ errored: true, complete: false, applyable: false, failedChecks: ['check.up'] });
  });

  test('names attributes, and says which are secret, without a value', () => {
    const found = differingAttributes({
      before: { a: 1, list: [1], nested: { x: 'old', y: 1 }, secret: 's1', part: { pw: 'p1' } },
      after: { a: 1, list: [2], nested: { x: 'new', y: 1 }, secret: 's2', part: { pw: 'p2' } },
      after_unknown: { id: true },
      before_sensitive: { secret: true },
      after_sensitive: { part: { pw: true } },
    });
    expect(found).toEqual([
      { name: 'id', sensitive: false },
      { name: 'list', sensitive: false },
      { name: 'nested.x', sensitive: false },
      { name: 'part.pw', sensitive: true },
      { name: 'secret', sensitive: true },
    ]);
  });
});

describe('a state', () => {
  const text = '{\n  "version": 4,\n  "terraform_version": "1.11.4",\n  "serial": 7,\n  "lineage": "one",\n  "outputs": {},\n  "resources": [{"mode": "managed", "module": "module.a", "type": "t", "name": "n", "instances": [{"index_key": "k", "attributes": {"big": 12345678901234567890}}, {"index_key": 0}]}, {"mode": "data", "type": "d", "name": "x", "instances": [{}]}]\n}';
  test('is told by lineage, serial and managed resources', () => expect(stateFacts(text)).toMatchObject({ lineage: 'one', serial: 7, version: '1.11.4', resources: ['module.a.t.n["k"]', 'module.a.t.n[0]'] }));
  test('gets another serial, and no number of it is rounded', () => {
    expect(withSerial(text, 12)).toBe(text.replace('"serial": 7', '"serial": 12'));
    expect(stateFacts(withSerial(text, 12)).digest).toBe(stateFacts(text).digest);
  });
  test('is not guessed, and what it holds is not quoted', () => expect(() => stateFacts('{"password": "c4n4ry"')).toThrow(/^what should be a Terraform state is no JSON object$/));
});

test('locks that a command announced and did not give back', async () => {
  const id = (n: number) => `0000000${n}-0000-0000-0000-000000000000`;
  const log = join(folder, 'log');
  writeFileSync(log, [`backend-s3: Attempting to lock remote state (S3 Native only)...: tf_backend.lock.id=${id(1)} tf_backend.lock.info=""`, `backend-s3: Unlocked remote state (S3 Native only): tf_backend.lock.id=${id(1)}`, `backend-s3: Attempting to lock remote state (DynamoDB only)...: tf_backend.lock.id=${id(2)} x`].join('\n'));
  expect(await announcedLocks(log)).toEqual([id(2)]);
  expect(await announcedLocks(join(folder, 'none'))).toEqual([]);
});

test('a command failed by its own lock only where it announced it, itself, and never heard that it had it', async () => {
  const id = (n: number) => `0000000${n}-0000-0000-0000-000000000000`;
  const log = join(folder, 'own-log');
  const says = (what: string, n: number) => appendFileSync(log, `backend-s3: ${what} (S3 Native only): tf_backend.lock.id=${id(n)} x\n`);
  const met = (n: number) => failure('terraform', 1, `Error acquiring the state lock\nLock Info:\n  ID:        ${id(n)}\n  Who:       us@here`);
  const none = await ownLock(log);
  expect(await none(met(1))).toBeUndefined();
  says('Attempting to lock remote state', 1);
  const own = await ownLock(log);
  says('Attempting to lock remote state', 2);
  says('Attempting to lock remote state', 3);
  says('Locked remote state', 3);
  // Of an earlier command; its own; one under which it has worked; somebody else's.
  expect([await own(met(1)), await own(met(2)), await own(met(3)), await own(met(4))]).toEqual([undefined, id(2), undefined, undefined]);
  expect(await own(failure('terraform', 1, `Error: no such thing\n  ID:        ${id(2)}`))).toBeUndefined();
});

test('progress and errors are read from the stream; values of outputs and what provisioners say are not', () => {
  expect(readMessage('{"type":"apply_complete","@message":"id=secret","hook":{"resource":{"addr":"a.b"},"action":"create","elapsed_seconds":3,"id_value":"secret"}}')).toEqual({ kind: 'done', address: 'a.b', action: 'create', seconds: 3, text: 'a.b: done (create) after 3 s' });
  expect(readMessage('{"type":"outputs","outputs":{"pw":{"value":"c4n4ry"}}}')).toBeUndefined();
  expect(readMessage('{"type":"provision_progress","hook":{"output":"c4n4ry"}}')).toBeUndefined();
  expect(readMessage('plain text')).toBeUndefined();
  expect(readMessage('{"type":"diagnostic","diagnostic":{"severity":"error","summary":"S","detail":"D","address":"a.b"}}')).toEqual({ severity: 'error', summary: 'S', detail: 'D', address: 'a.b' });
});

describe('a failure', () => {
  test.each([
    ['Error acquiring the state lock\nLock Info:\n  ID:        42\n  Path:      s/t\n  Operation: OperationTypePlan\n  Who:       eve@shop\n  Created:   2026-01-01', 'state-locked', /eve@shop since 2026-01-01 \(ID 42, OperationTypePlan, s\/t\)/],
    ['Error: Saved plan is stale', 'plan-stale', /has changed/],
    ['state data in S3 does not have the expected content', 'state-digest-differs', /put another version/],
    ['Error: Backend initialization required', 'not-initialized', /init/],
    ['│ Error: Unsupported argument\n│ on main.tf', 'terraform-failed', /exited with 1: Error: Unsupported argument on main.tf/],
  ])('%s', (said, code, message) => expect(failure('terraform', 1, said)).toMatchObject({ code, message: expect.stringMatching(message) as unknown }));
});

describe('the version', () => {
  test('is of the tool that it says it is', () => {
    expect(readVersion('{"terraform_version":"1.11.4"}', 'Terraform v1.11.4\non linux_amd64')).toEqual({ name: 'terraform', version: '1.11.4' });
    expect(readVersion('{"terraform_version":"1.10.2"}', 'OpenTofu v1.10.2')).toEqual({ name: 'opentofu', version: '1.10.2' });
    expect(() => readVersion('hello', 'hello')).toThrow(/neither/);
  });
  test('must be new enough', () => {
    for (const [name, version] of [['terraform', '1.4.6'], ['terraform', '0.15.5'], ['opentofu', '1.5.9']] as const) expect(() => checkVersion(name, version)).toThrow(/too old/);
    for (const [name, version] of [['terraform', '1.5.0'], ['terraform', '2.0.0'], ['opentofu', '1.6.0-beta1']] as const) checkVersion(name, version);
  });
});
