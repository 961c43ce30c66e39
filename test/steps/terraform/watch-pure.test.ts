import { describe, expect, test } from 'vitest';
import { assigned, blocksOf, textOf } from '../../../src/steps/terraform/lib/hcl.js';
import { unpinned } from '../../../src/steps/terraform/lib/pins.js';
import { unexplained } from '../../../src/steps/terraform/lib/watch-state.js';

describe('a state that changed', () => {
  const at = (serial: number, digest = 'a', lineage = 'one') => ({ serial, digest, lineage });
  test.each([
    ['nothing', at(3), at(3), [], undefined],
    ['our apply', at(3), at(5), [{ from: 3, to: 5 }], undefined],
    ['our first apply', null, at(1), [{ from: -1, to: 1 }], undefined],
    ['our apply that is still under way', at(3), at(4), [{ from: 3, to: null }], undefined],
    ['state rm by hand', at(3), at(4), [{ from: -1, to: 3 }], 'written by somebody else: serial 4 is not of this run'],
    ['by hand between two applies of ours', at(1), at(5), [{ from: 1, to: 3 }, { from: 4, to: 5 }], 'written by somebody else: serial 4 is not of this run'],
    ['an old version copied over it', at(5), at(3), [{ from: -1, to: 5 }], 'put back: serial 5, now 3'],
    ['edited under the same serial', at(5), at(5, 'b'), [{ from: -1, to: 5 }], 'changed under the same serial 5'],
    ['begun anew', at(5), at(6, 'b', 'two'), [{ from: 5, to: 6 }], 'replaced by a state of another lineage: one, now two'],
    ['deleted', at(5), null, [], 'removed: serial 5 of lineage one is gone'],
  ] as const)('%s', (_what, was, now, own, expected) => expect(unexplained(was, now, own)).toBe(expected));
});

describe('what is not pinned', () => {
  const objects = (text: string, more: { path: string; text: string }[] = []) => unpinned([{ path: 'main.tf', text }, ...more]).map(({ object }) => object);
  const module = (source: string, version = '') => `module "m" {\n  source = "${source}"\n  ${version === '' ? '' : `version = "${version}"`}\n}`;

  test.each([
    ['./modules/vpc', '', false],
    ['../shared', '', false],
    ['terraform-aws-modules/vpc/aws', '5.1.2', false],
    ['terraform-aws-modules/vpc/aws', '= 5.1.2', false],
    ['terraform-aws-modules/vpc/aws', '~> 5.1', true],
    ['terraform-aws-modules/vpc/aws', '', true],
    ['git::https://git.example/vpc.git?ref=v1.2.0', '', false],
    ['git::https://git.example/vpc.git', '', true],
    ['github.com/example/vpc', '', true],
    ['git@github.com:example/vpc.git?ref=4f2c1d9', '', false],
    ['https://files.example/vpc.zip', '', true],
    ['https://files.example/vpc.zip?checksum=sha256:00', '', false],
  ])('module %s %s', (source, version, expected) => expect(objects(module(source, version))).toEqual(expected ? ['module m in main.tf'] : []));

  const providers = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws", version = "~> 5.0" }\n    null = "3.2.1"\n  }\n}';
  test('a provider, unless it is exact or a lock file holds it', () => {
    expect(objects(providers)).toEqual(['provider aws in main.tf']);
    expect(objects(providers, [{ path: '.terraform.lock.hcl', text: 'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.1.0"\n}' }])).toEqual([]);
  });

  test('the module of a unit of Terragrunt', () => {
    const unit = (source: string) => unpinned([{ path: 'vpc/terragrunt.hcl', text: `terraform {\n  source = "${source}"\n}` }]).length;
    expect([unit('../modules//vpc'), unit('git::https://git.example/m.git//vpc'), unit('tfr:///terraform-aws-modules/vpc/aws?version=5.1.2'), unit('tfr:///terraform-aws-modules/vpc/aws')]).toEqual([0, 1, 0, 1]);
  });

  test('nothing that a comment or a string says', () => {
    expect(objects('# module "x" { source = "a/b/c" }\n/* module "y" { source = "a/b/c" } */\nlocals {\n  a = "module \\"z\\" { ${jsonencode({ a = "}" })} }"\n  b = <<-EOT\n    module "h" { source = "a/b/c" }\n  EOT\n}\n')).toEqual([]);
  });
});

test('reads blocks, labels and texts', () => {
  const [block] = blocksOf('resource "aws_vpc" "main" {\n  cidr = "10.0.0.0/16" # the range\n  tags = { a = "}" }\n}\n');
  expect(block).toMatchObject({ type: 'resource', labels: ['aws_vpc', 'main'] });
  expect(textOf(block?.body ?? '', 'cidr')).toBe('10.0.0.0/16');
  expect(assigned('release = "2"\n# not = 1\n"quoted" : 3\n')).toEqual(['release', 'quoted']);
});
