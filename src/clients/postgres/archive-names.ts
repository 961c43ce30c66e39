const walName = /^([0-9A-F]{8})([0-9A-F]{16})(\.[0-9A-F]{8}\.backup|\.partial)?(-[0-9a-f]{40})?(\.(gz|lz4|zst|bz2|xz))?$/;
const history = /^([0-9A-F]{8})\.history(\.(gz|lz4|zst|bz2|xz))?$/;

/** The timeline that an archived file belongs to, from its first 8 hex digits; null for names that have none. */
export function timelineOf(name: string): number | null {
  const match = walName.exec(name) ?? history.exec(name);
  return match === null ? null : Number.parseInt(match[1] ?? '', 16);
}
