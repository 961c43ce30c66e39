import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTemplate, render, renderKnown, templatePaths } from '../../src/engine/template.js';

const known = { inputs: { table: 'orders', rows: 10, on: true, none: null }, steps: { 'left-one': { list: [1, { a: 'x' }], deep: { text: 'y' } } }, run: { id: 'r' } };

describe('render', () => {
  it('keeps the type of a template that stands alone', () => {
    expect(render({ a: '{{ inputs.rows }}', b: ['{{inputs.on}}'], c: '{{ steps.left-one.list }}', d: '{{ inputs.none }}' }, known)).toEqual({ a: 10, b: [true], c: [1, { a: 'x' }], d: null });
  });
  it('puts values into text', () => expect(render('t={{ inputs.table }} n={{ inputs.rows }}!', known)).toBe('t=orders n=10!'));
  it('reads members of lists by index', () => expect(render('{{ steps.left-one.list.1.a }}', known)).toBe('x'));
  it('leaves an escaped template as text', () => expect(render('a \\{{ b }} {{ run.id }}', known)).toBe('a {{ b }} r'));
  it('does not render what a value contains', () => expect(render('{{ v }} and {{ v }}', { v: '{{ inputs.table }}' })).toBe('{{ inputs.table }} and {{ inputs.table }}'));
  it('refuses null, lists and objects inside text', () => {
    for (const path of ['inputs.none', 'steps.left-one.list', 'steps.left-one.deep']) expect(() => render(`x {{ ${path} }}`, known)).toThrow(/stands inside text/);
  });
  it('refuses a path without a value', () => expect(() => render('{{ inputs.other }}', known)).toThrow(/\{\{ inputs\.other \}\} has no value/));
  it('reads no length of a list and no letter of a text', () => {
    for (const path of ['steps.left-one.list.length', 'inputs.table.0', 'inputs.table.length']) expect(() => render(`{{ ${path} }}`, known)).toThrow(/has no value/);
  });
});

describe('renderKnown', () => {
  it('says what an unknown leaf waits for', () => expect(renderKnown({ a: '{{ steps.later.n }}', b: '{{ inputs.rows }}' }, known)).toEqual({ a: { unknown: 'steps.later.n' }, b: 10 }));
  it('keeps text with an unknown part as its template', () => expect(renderKnown('{{ inputs.table }}-{{ steps.later.n }}', known)).toEqual({ unknown: '{{ inputs.table }}-{{ steps.later.n }}' }));
  it('carries unknowns of earlier steps on', () => expect(renderKnown('{{ steps.a.x.y }}', { steps: { a: { x: { unknown: 'steps.b.z' } } } })).toEqual({ unknown: 'steps.a.x.y' }));
});

it('lists every path with its place', () => {
  expect(templatePaths({ a: ['{{ inputs.x }} {{ run.id }}'], b: { c: '{{ steps.s.o }}' }, d: 1 })).toEqual([
    { path: 'inputs.x', pointer: ['a', 0] },
    { path: 'run.id', pointer: ['a', 0] },
    { path: 'steps.s.o', pointer: ['b', 'c'] },
  ]);
});

describe('for any values', () => {
  const name = fc.stringMatching(/^[a-z][A-Za-z0-9_-]{0,12}$/).filter((each) => !['constructor', 'prototype'].includes(each));

  it('a lone template gives the very value, of the very type', () => {
    fc.assert(fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), fc.jsonValue(), (path, value) => {
      const holder = path.reduceRight<unknown>((inner, each) => ({ [each]: inner }), value);
      expect(render(`{{ ${path.join('.')} }}`, holder)).toStrictEqual(value);
    }));
  });

  it('text without templates and every other JSON value stay as they are', () => {
    fc.assert(fc.property(fc.jsonValue().filter((value) => !JSON.stringify(value).includes('{{')), (value) => {
      expect(render(value, {})).toStrictEqual(value);
    }));
  });

  it('text around a scalar is that text', () => {
    const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const text = fc.string().filter((each) => !each.includes('{') && !each.endsWith('\\'));
    fc.assert(fc.property(text, scalar, text, (before, value, after) => {
      fc.pre(before !== '' || after !== '');
      expect(render(`${before}{{ v }}${after}`, { v: value })).toBe(`${before}${String(value)}${after}`);
    }));
  });

  it('nothing that is inherited is ever reached', () => {
    const inherited = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'length', 'map', 'at'];
    fc.assert(fc.property(fc.array(fc.oneof(name, fc.constantFrom(...inherited), fc.nat(3).map(String)), { minLength: 0, maxLength: 3 }), fc.constantFrom(...inherited), fc.jsonValue(), (path, last, value) => {
      const holder = path.reduceRight<unknown>((inner, each) => (inherited.includes(each) ? inner : { [each]: inner }), value);
      let got: unknown;
      try {
        got = render(`{{ ${[...path, last].join('.')} }}`, holder);
      } catch {
        return;
      }
      // It resolved: then only because the JSON itself has a member of that name.
      expect(JSON.stringify(holder)).toContain(JSON.stringify(last));
      expect(typeof got).not.toBe('function');
    }));
  });

  it('no text crashes the parser in another way than with its own error', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom('{{', '}}', '{', ' ', '.', 'inputs', '[', ']', '#', '\\', 'x', '&', '__proto__')).map((parts) => parts.join('')), (text) => {
      try {
        parseTemplate(text);
      } catch (error) {
        expect((error as Error).name).toBe('TemplateError');
      }
    }));
  });
});
