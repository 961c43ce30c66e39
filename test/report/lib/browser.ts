import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium } from '../../../src/report/pdf.js';

export const chromium = findChromium({ PATH: process.env['PATH'] ?? '', MUSTER_CHROMIUM: process.env['MUSTER_CHROMIUM'] });

export interface Measured {
  readonly name: string;
  readonly viewport: number;
  readonly scrollWidth: number;
  /** Elements that stick out of the viewport, but for those in a box that scrolls by itself. */
  readonly sticksOut: readonly string[];
  /** Texts below 4.5:1 (3:1 for large ones) against what is behind them. */
  readonly faint: readonly string[];
  readonly unnamed: readonly string[];
  readonly headings: readonly number[];
}

function flags(folder: string): string[] {
  return ['--headless=new', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', `--user-data-dir=${join(folder, 'profile')}`];
}

/** Lays pages out in frames of given widths in a real browser and measures them there. */
export function measure(pages: readonly { readonly name: string; readonly width: number; readonly html: string }[]): Measured[] {
  const folder = mkdtempSync(join(tmpdir(), 'muster-layout-'));
  try {
    // The measured copies may run a script; the report itself may not.
    const frames = pages.map(({ name, width, html }) => `<iframe title="${name}" width="${width}" height="900" style="border:0" srcdoc="${html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, '').replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>`);
    const file = join(folder, 'measure.html');
    writeFileSync(file, `<!doctype html><meta charset="utf-8"><body>${frames.join('')}<pre id="out"></pre><script>${script}</script>`);
    const dom = execFileSync(chromium ?? '', [...flags(folder), '--window-size=1400,1000', '--virtual-time-budget=10000', '--dump-dom', `file://${file}`], { maxBuffer: 1 << 27, timeout: 120_000, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
    const found = /<pre id="out">([^<]*)<\/pre>/.exec(dom)?.[1] ?? '';
    return JSON.parse(found.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')) as Measured[];
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A PNG of a page. */
export function screenshot(html: string, width: number, height: number): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'muster-shot-'));
  try {
    const [page, image] = [join(folder, 'page.html'), join(folder, 'page.png')];
    writeFileSync(page, html);
    execFileSync(chromium ?? '', [...flags(folder), `--window-size=${width},${height}`, '--hide-scrollbars', `--screenshot=${image}`, `file://${page}`], { timeout: 120_000, stdio: 'ignore' });
    return readFileSync(image);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const script = `
const parse = (c) => { const m = c.match(/[\\d.]+/g) || ['0','0','0','0']; return [+m[0], +m[1], +m[2], m[3] === undefined ? 1 : +m[3]]; };
const light = ([r, g, b]) => { const f = [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const measure = (frame) => {
  const win = frame.contentWindow, doc = frame.contentDocument, root = doc.scrollingElement;
  const style = (e) => win.getComputedStyle(e);
  const behind = (e) => { for (let at = e; at; at = at.parentElement) { const c = parse(style(at).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const say = (e) => e.tagName.toLowerCase() + '.' + (e.getAttribute('class') || '') + ' ' + (e.textContent || '').trim().slice(0, 40);
  const visible = (e) => { const r = e.getBoundingClientRect(); return r.width > 1 && r.height > 1 && style(e).visibility !== 'hidden'; };
  const all = [...doc.body.querySelectorAll('*')].filter((e) => visible(e) && !e.closest('details:not([open]) > :not(summary)'));
  const sticksOut = all.filter((e) => !e.closest('.scroll, svg') && e.getBoundingClientRect().right > win.innerWidth + 1).map(say);
  const faint = all.filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim() !== '')).filter((e) => {
    const s = style(e), large = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.66 && +s.fontWeight >= 700);
    return ratio(parse(e.closest('svg') ? s.fill : s.color), behind(e)) < (large ? 3 : 4.5);
  }).map(say);
  const unnamed = [...doc.querySelectorAll('svg:not([aria-hidden=true]):not([aria-label]), section:not([aria-labelledby]), th:not([scope]), img:not([alt]), .scroll:not([tabindex][role][aria-label])')].map(say);
  if (!doc.documentElement.lang) unnamed.push('html without lang');
  return { name: frame.title, viewport: win.innerWidth, scrollWidth: root.scrollWidth, sticksOut, faint, unnamed, headings: [...doc.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1]) };
};
addEventListener('load', () => { out.textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(measure)); });
`;
