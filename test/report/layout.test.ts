import { describe, expect, it } from 'vitest';
import { reportHtml } from '../../src/report/html.js';
import { chromium, measure, screenshot } from './lib/browser.js';
import { hostile, inputOf } from './lib/drills.js';

const long = 'x'.repeat(300);
const drills = { passed: {}, failed: { failAt: 'restore', hostile: `${hostile} ${long}` }, missed: { rtoMs: 4000 } } as const;
const asDark = (html: string) => html.replaceAll('(prefers-color-scheme:dark)', 'all');
/** The rules for paper on a screen: A4 less its margins is 182 mm, at 96 dpi 688 px. */
const asPrint = (html: string) => html.replaceAll('@media screen and', '@media not all and').replaceAll('@media print{@page{size:A4;margin:14mm}', '@media all{');

describe.skipIf(chromium === undefined)('report.html in a real browser', () => {
  const pages = Object.entries(drills).flatMap(([name, options]) => {
    const html = reportHtml(inputOf(options));
    return [
      { name: `${name} at 360`, width: 360, html },
      { name: `${name} at 1280`, width: 1280, html },
      { name: `${name} at 1280, dark`, width: 1280, html: asDark(html) },
      { name: `${name} on A4`, width: 688, html: asPrint(html) },
    ];
  });
  const measured = chromium === undefined ? [] : measure(pages);

  it('was laid out at each width', () => expect(measured.map(({ name, viewport }) => [name, viewport])).toEqual(pages.map(({ name, width }) => [name, width])));

  it.each(pages.map(({ name }) => name))('fits, can be read and is named: %s', (name) => {
    const page = measured.find((each) => each.name === name);
    expect(page?.scrollWidth).toBeLessThanOrEqual(page?.viewport ?? 0);
    expect(page?.sticksOut).toEqual([]);
    expect(page?.faint).toEqual([]);
    expect(page?.unnamed).toEqual([]);
    // One title, and no level left out.
    expect(page?.headings.filter((level) => level === 1)).toEqual([1]);
    for (const [index, level] of (page?.headings ?? []).entries()) expect(level - (page?.headings[index - 1] ?? 0)).toBeLessThanOrEqual(1);
  });

  it('is shown at all: its picture is not one colour', () => {
    const png = screenshot(reportHtml(inputOf()), 1280, 1600);
    expect(png.subarray(1, 4).toString('latin1')).toBe('PNG');
    expect(png.length).toBeGreaterThan(30_000);
  });
});
