import { describe, expect, test } from 'vitest';
import { createGuard } from '../../../src/engine/guard.js';
import { guardPolicy } from '../../../src/engine/guard/policy.js';
import { LiveWorld } from '../../../src/engine/world.js';

const connection = (role: 'production' | 'source' | 'target') => ({ kind: 'bucket', role, provision: 's3-bucket', with: {}, does: '' });
const guard = createGuard(guardPolicy({ environment: { connections: { states: connection('target'), live: connection('production') }, endpoints: {}, boundary: { buckets: ['states', 'shared/app'] }, forbidden: [] }, world: new LiveWorld(), ownDirectories: [], runbookDir: '/' }));
const reach = (bucket: string, key?: string, name = 'states') => ({ kind: 'bucket', connection: name, bucket, ...(key === undefined ? {} : { key }) }) as const;

describe('a bucket', () => {
  test.each([
    ['a key of a whole bucket', reach('states', 'any/key')],
    ['a key below the prefix', reach('shared', 'app/terraform.tfstate')],
    ['the prefix itself', reach('shared', 'app')],
    ['a bucket of which a part is inside', reach('shared')],
    ['production, to read', reach('states', 'k', 'live')],
  ])('may be reached: %s', (_what, target) => expect(() => guard.check(target, 'read')).not.toThrow());

  test.each([
    ['another bucket', reach('statesman', 'k')],
    ['a key that only begins like the prefix', reach('shared', 'application/x')],
    ['a key beside the prefix', reach('shared', 'other')],
  ])('is refused with what would allow it: %s', (_what, target) => expect(() => guard.check(target, 'read')).toThrow(`To allow it, the environment would say: boundary: { buckets: ["${target.bucket}/${target.key}"] }`));

  test('of production is read-only', () => expect(() => guard.check(reach('states', 'k', 'live'), 'create')).toThrow(/role production/));
});

test('infrastructure of production is only looked at', () => {
  expect(() => guard.check({ kind: 'infrastructure', connection: 'live' }, 'read')).not.toThrow();
  expect(() => guard.check({ kind: 'infrastructure', connection: 'live' }, 'modify')).toThrow(/production, which is read-only/);
  expect(() => guard.check({ kind: 'infrastructure', connection: 'states' }, 'destroy')).not.toThrow();
});
