import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../src/engine/redact.js';

const redactorOf = (...secrets: string[]) => {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  return redactor;
};

describe('Redactor', () => {
  it('finds a secret as text, in a URL, in JSON and in base64 wherever it starts', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 6, maxLength: 24 }).filter((secret) => /[^\d\s]/.test(secret) && !secret.includes('redacted'));
    fc.assert(
      fc.property(text, fc.string({ maxLength: 5 }), (secret, before) => {
        const redactor = redactorOf(secret);
        const forms = [secret, encodeURIComponent(Buffer.from(secret).toString()), JSON.stringify(secret).slice(1, -1)];
        for (const form of forms) expect(redactor.text(`<${form}>`)).toBe('<[redacted]>');
        const whole = Buffer.from(`${before}${secret}`).toString('base64');
        expect(redactor.text(whole)).toContain('[redacted]');
      }),
      { numRuns: 300 },
    );
  });

  it('takes the longest of secrets that overlap, and lines of a secret of several lines', () => {
    expect(redactorOf('abcd', 'abcdefgh').text('abcdefgh abcd')).toBe('[redacted] [redacted]');
    expect(redactorOf('-----BEGIN KEY-----\nMIIBVQIBADANBg\n-----END KEY-----').text('line: MIIBVQIBADANBg')).toBe('line: [redacted]');
  });

  it('replaces very short secrets only where they are the whole value', () => {
    const redactor = redactorOf('ab', '2026', '');
    expect(redactor.value({ a: 'ab', b: 'about 2026-01-01', c: '2026', d: 2026, e: 20260, ab: 1 })).toEqual({ a: '[redacted]', b: 'about 2026-01-01', c: '[redacted]', d: '[redacted]', e: 20260, ab: 1 });
  });

  it('reaches every depth and foreign member names, and leaves data without secrets as it is', () => {
    const redactor = redactorOf('s3cr3t-value');
    expect(redactor.value({ list: [{ deep: 'x s3cr3t-value' }], 'key-s3cr3t-value': null })).toEqual({ list: [{ deep: 'x [redacted]' }], 'key-[redacted]': null });
    const value = { a: 1 };
    expect(new Redactor().value(value)).toBe(value);
  });
});
