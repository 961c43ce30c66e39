import { describe, expect, it } from 'vitest';
import type { DrillEvent } from '../../src/engine/events.js';
import { reportHtml } from '../../src/report/html.js';
import { chromium, measure, screenshot } from './lib/browser.js';
import { hostile, inputOf } from './lib/drills.js';

const long = 'x'.repeat(300);
/** What a real run says of itself in its first event. */
const about = (events: DrillEvent[]): DrillEvent[] =>
  events.map((event) =>
    event.type !== 'run.started'
      ? event
      : {
          ...event,
          data: {
            ...event.data,
            authenticated: [{ by: 'operating-system', as: 'sam, uid 1000, logged in as uid 1000' }, { by: 'key', as: `SHA256:${'k'.repeat(43)}` }],
            machine: { cpu: 'Example CPU of a rather long name @ 2.40 GHz', cpus: 64, memoryBytes: 2 ** 39 },
            earlier: (['passed', 'failed', 'incomplete', 'cancelled'] as const).map((verdict, n) => ({ run: `2026${n + 1}0101T070000Z-pitr-restore-aaaaaa`, sha256: String(n).repeat(64), at: '2026-01-01T07:00:00.000Z', verdict, rtoMs: n * 4000, rpoMs: 100, manualMs: 90_000 })),
          },
        },
  );
const drills = { passed: { edit: about }, failed: { failAt: 'restore', hostile: `${hostile} ${long}` }, missed: { rtoMs: 4000 } } as const;
const asDark = (html: string) => html.replaceAll('(prefers-color-scheme:dark)', 'all');
/** The rules for paper on a screen: A4 less its margins is 182 mm, at 96 dpi 688 px. */
const asPrint = (html: string) => html.replaceAll('@media screen and', '@media speech and').replaceAll('@media print{@page{size:A4;margin:14mm}', '@media all{');

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
