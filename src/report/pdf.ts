import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from '../engine/errors.js';

type Env = Readonly<Record<string, string | undefined>>;

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome', 'microsoft-edge', 'brave-browser'];
const elsewhere = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium', '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge'];
const timeoutMs = 120_000;

/** MUSTER_CHROMIUM, else the first that is installed; undefined when there is none. */
export function findChromium(env: Env): string | undefined {
  const own = env['MUSTER_CHROMIUM'] ?? '';
  if (own !== '') return own;
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...elsewhere].find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Prints the page by an installed Chromium, with a profile of its own; the page's policy lets no script run. The bytes differ from one
 * time to the next (a PDF holds when it was made): the bundle's report.html is the record. Throws UsageError.
 */
export async function printPdf(html: string, env: Env): Promise<Uint8Array> {
  const chromium = findChromium(env);
  if (chromium === undefined) {
    throw new UsageError('no Chromium was found to print with. Install one (Debian: apt-get install chromium; macOS: brew install --cask chromium), or name it by MUSTER_CHROMIUM; or print data/report.html with any browser');
  }
  const folder = await mkdtemp(join(tmpdir(), 'muster-pdf-'));
  try {
    const page = join(folder, 'report.html');
    const pdf = join(folder, 'report.pdf');
    await writeFile(page, html);
    // Chromium's own sandbox does not work for root; the page holds no script, and its policy loads nothing.
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    await runChromium(chromium, [
      '--headless=new', ...asRoot, '--disable-gpu', '--disable-extensions', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking',
      `--user-data-dir=${join(folder, 'profile')}`, '--no-pdf-header-footer', `--print-to-pdf=${pdf}`, pathToFileURL(page).href,
    ]);
    return await readFile(pdf).catch(() => {
      throw new UsageError(`${chromium} wrote no PDF; print data/report.html with a browser`);
    });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function runChromium(chromium: string, args: readonly string[]): Promise<void> {
  const child = spawn(chromium, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: timeoutMs, killSignal: 'SIGKILL' });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-500)));
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new UsageError(`${chromium} ${code === null ? 'did not end in time' : `ended with ${code}`}: ${said.trim()}`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot start ${chromium}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
