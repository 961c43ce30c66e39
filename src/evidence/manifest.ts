import { manifestText, tagFiles, tagManifest, type FileDigest } from './texts.js';
import type { Defect } from './defect.js';
import type { ReadBundle } from './reader.js';

/**
 * Holds both manifests against the files. BagIt allows several forms of the same manifest (order, CR LF, `./`,
 * percent-encoding); we write one, and take only that one: what is left to vary could hide a change.
 */
export function checkManifests({ texts, digests }: ReadBundle): Defect[] {
  const files = [...digests].map(([path, digest]) => ({ path, ...digest }));
  const payload = files.filter(({ path }) => path.startsWith('data/'));
  const tags = files.filter(({ path }) => tagFiles.some((name) => name === path));
  return [...checkManifest('manifest-sha256.txt', texts.get('manifest-sha256.txt'), payload), ...checkManifest(tagManifest, texts.get(tagManifest), tags)];
}

function checkManifest(manifest: string, text: string | undefined, files: readonly FileDigest[]): Defect[] {
  if (text === undefined || text === manifestText(files)) return [];
  const defects: Defect[] = [];
  const listed = new Map<string, string>();
  const say = (code: Defect['code'], file: string, detail: string) => defects.push({ code, file, detail });
  const lines = text.split('\n');
  if (lines.pop() !== '') say('manifest-form', manifest, 'the last line has no line feed');
  for (const [index, line] of lines.entries()) {
    const found = /^([0-9a-f]{64}) {2}(.+)$/u.exec(line);
    if (found?.[1] === undefined || found[2] === undefined) {
      say('manifest-form', manifest, `line ${index + 1} is not "<sha256>  <path>"`);
      continue;
    }
    const path = decoded(found[2]);
    if (path === undefined || path.split('/').some((part) => part === '' || part === '.' || part === '..') || path.includes('\\')) say('manifest-path', manifest, `line ${index + 1} names a path that leaves the bundle or is not in its plain form: ${found[2]}`);
    else if (listed.has(path)) say('manifest-duplicate', path, `${manifest} names it twice`);
    else listed.set(path, found[1]);
  }
  for (const { path, sha256 } of files) {
    const claimed = listed.get(path);
    if (claimed === undefined) say('manifest-missing', path, `not in ${manifest}`);
    else if (claimed !== sha256) say('digest-differs', path, `its sha256 is ${sha256}, ${manifest} says ${claimed}`);
    listed.delete(path);
  }
  for (const path of listed.keys()) say('manifest-extra', path, `${manifest} names it, but there is no such file`);
  if (defects.length === 0) say('manifest-form', manifest, 'its lines are not sorted by path, or not in the form that Muster writes');
  return defects;
}

/** RFC 8493, 2.1.3: only LF, CR and % are percent-encoded. Undefined for any other use of %, and for raw control characters. */
function decoded(path: string): string | undefined {
  if (/\p{Cc}/u.test(path) || /%(?!0A|0D|25)/.test(path)) return undefined;
  return path.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%');
}
