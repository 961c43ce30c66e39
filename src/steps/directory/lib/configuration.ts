import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalDetails } from '../../../clients/postgres/details.js';
import { sha256 } from '../../../engine/canonical.js';
import type { Observation } from '../../../engine/define-watcher.js';
import { fileFacts, type FileFacts } from './listing.js';

interface Content {
  readonly facts: FileFacts;
  /** Of the whole file. */
  readonly digest: string;
  /** null for a file that holds no settings. */
  readonly settings: ReadonlyMap<string, string> | null;
}

const files = ['postgresql.conf', 'postgresql.auto.conf', 'pg_hba.conf', 'pg_ident.conf', 'standby.signal', 'recovery.signal'] as const;

type Seen = Pick<Observation, 'object' | 'change' | 'actor' | 'proof' | 'before' | 'after'>;

/** The configuration files of one server's data directory, from the moment that it first runs. */
export class Configuration {
  #known: Map<string, Content> | undefined;

  constructor(private readonly local: LocalDetails) {}

  get files(): number {
    return this.#known?.size ?? 0;
  }

  /** What has changed since the last look; the first look is the baseline. Nothing while the server has never run. */
  async look(): Promise<Seen[]> {
    const before = this.#known;
    if (before === undefined && !(await this.#hasRun())) return [];
    const now = new Map<string, Content>();
    for (const name of files) {
      const content = await this.#content(name, before?.get(name));
      if (content !== undefined) now.set(name, content);
    }
    // The folder itself is gone: whoever removed the copy says so elsewhere.
    if (now.size === 0) return [];
    this.#known = now;
    return before === undefined ? [] : files.flatMap((name) => this.#differences(name, before.get(name), now.get(name)));
  }

  async #hasRun(): Promise<boolean> {
    return (await readdir(this.local.dataDir).catch((): string[] => [])).includes('postmaster.pid');
  }

  /** Read again only when it was touched. */
  async #content(name: string, known: Content | undefined): Promise<Content | undefined> {
    const path = join(this.local.dataDir, name);
    const facts = await fileFacts(path);
    if (facts === undefined) return undefined;
    if (known !== undefined && known.facts.modifiedMs === facts.modifiedMs && known.facts.inode === facts.inode && known.facts.size === facts.size) return known;
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    return { facts, digest: sha256(text), settings: name.startsWith('postgresql.') ? settingsOf(text) : null };
  }

  #differences(name: string, before: Content | undefined, after: Content | undefined): Seen[] {
    if (before?.digest === after?.digest) return [];
    // The server removes it when recovery ends.
    if (after === undefined && name.endsWith('.signal')) return [];
    const stranger = after !== undefined && this.local.uid !== null && after.facts.uid !== this.local.uid;
    const who = { actor: stranger ? `uid ${after.facts.uid}` : null, proof: stranger ? 'another' : 'none' } as const;
    const settings = changedSettings(before?.settings ?? new Map(), after?.settings ?? new Map()).map(
      ([setting, was, is]) => ({ object: `setting ${setting}`, change: `${name} edited`, ...who, before: shown(setting, was), after: shown(setting, is) }),
    );
    if (settings.length > 0 && before !== undefined && after !== undefined) return settings;
    return [{ object: `file ${name}`, change: before === undefined ? 'file added' : after === undefined ? 'file removed' : 'file edited', ...who }];
  }
}

/** As the server reads it: the last line of a name counts. */
function settingsOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^\s*([A-Za-z_][\w.]*)\s*(?:=\s*|\s)('(?:[^']|''|\\')*'|[^#]*?)\s*(?:#.*)?$/.exec(line) ?? [];
    if (name !== undefined) found.set(name.toLowerCase(), value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value);
  }
  return found;
}

function changedSettings(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): (readonly [string, string | null, string | null])[] {
  return [...new Set([...before.keys(), ...after.keys()])].map((name) => [name, before.get(name) ?? null, after.get(name) ?? null] as const).filter(([, was, is]) => was !== is);
}

/** Settings may hold passwords and commands with keys. */
function shown(name: string, value: string | null): string | null {
  return value !== null && /conninfo|passw|secret|key|token|command|library/i.test(name) ? `sha256:${sha256(value).slice(0, 16)}` : value;
}
