import { messageOf } from '../../engine/errors.js';
import type { Defect } from '../defect.js';

/** An archive that cannot be followed, or that two tools could read differently: nothing more is taken from it. */
export class ArchiveError extends Error {
  constructor(readonly code: 'archive-form' | 'too-large', message: string) {
    super(message);
  }
}

/** What went wrong with an archive, as a defect: damage that zlib finds is one of form. */
export function archiveDefect(error: unknown, archive: string): Defect {
  const damaged = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
  return { code: error instanceof ArchiveError ? error.code : damaged ? 'archive-form' : 'unreadable', file: archive, detail: messageOf(error) };
}

const GiB = 1024 ** 3;
/** Of everything in an archive, unpacked. */
const maxTotal = 16 * GiB;
/** Deflate can make a thousand bytes of one; no evidence does. Below `freely` nothing is said about it. */
export const maxRatio = 200;
const freely = 64 * 1024 * 1024;

/** Throws ArchiveError when `unpacked` bytes are too many to come from `packed`. */
export function checkGrowth(unpacked: number, packed: number): void {
  if (unpacked > maxTotal) throw new ArchiveError('too-large', `the archive unpacks to more than ${maxTotal / GiB} GiB`);
  if (unpacked > freely && unpacked > packed * maxRatio) throw new ArchiveError('too-large', `the archive unpacks to more than ${maxRatio} times its size`);
}

const atTop = new Set(['data', 'sig', 'bagit.txt', 'bag-info.txt', 'README.txt', 'manifest-sha256.txt', 'tagmanifest-sha256.txt']);

/** Takes the names of an archive one by one; a bundle stands in it as one folder, or bare. */
export class ArchiveNames {
  #folder: string | undefined;
  readonly #seen = new Set<string>();

  constructor(private readonly archive: string, private readonly say: (defect: Defect) => void) {}

  /** The name relative to the bundle; undefined, and a defect, when it must not be used. `''` is the bundle's folder itself. */
  take(raw: Buffer, isFolder: boolean): string | undefined {
    const name = utf8Name(raw);
    const plain = name === undefined ? undefined : (isFolder ? name.replace(/\/$/, '') : name).replace(/^\.\//, '');
    if (plain === '.' || plain === '') return isFolder ? '' : this.#refuse('archive-form', 'an entry without a name');
    if (plain === undefined || /[\p{Cc}\\]/u.test(plain)) return this.#refuse('archive-form', `the name ${JSON.stringify(raw.toString('latin1'))} is not valid UTF-8, or holds control characters or a backslash`);
    const parts = plain.split('/');
    if (/^[A-Za-z]:/.test(plain) || parts.some((part) => part === '' || part === '.' || part === '..')) return this.#refuse('archive-form', `the name ${JSON.stringify(plain)} leaves the bundle or is not in its plain form`);
    // File systems that know no upper and lower case would unpack one over the other.
    const key = plain.normalize('NFC').toLowerCase();
    if (this.#seen.has(key)) return this.#refuse('duplicate-entry', `${JSON.stringify(plain)} stands in the archive twice`);
    this.#seen.add(key);
    this.#folder ??= atTop.has(parts[0] ?? '') ? '' : (parts[0] ?? '');
    if (this.#folder === '') return plain;
    if (parts[0] !== this.#folder) return this.#refuse('unexpected-file', `${JSON.stringify(plain)} stands beside the bundle's folder ${JSON.stringify(this.#folder)}`);
    return parts.slice(1).join('/');
  }

  #refuse(code: Defect['code'], detail: string): undefined {
    this.say({ code, file: this.archive, detail });
    return undefined;
  }
}

function utf8Name(raw: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return undefined;
  }
}
