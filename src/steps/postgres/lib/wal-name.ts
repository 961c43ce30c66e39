/**
 * WAL file names (source: xlog_internal.h): 8 hex digits each of timeline, log and segment. A `.backup` file is
 * archived after the segment that it names.
 */
const name = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.[0-9A-F]{8}\.backup)?$/;

export interface WalFile {
  readonly timeline: number;
  /** LSN just behind the segment. */
  readonly endLsn: string;
  /** The segment's own 24 digits. */
  readonly segment: string;
}

/** null for history files, partial segments and anything else. `segmentSize` in bytes. */
export function walFile(file: string, segmentSize: bigint): WalFile | null {
  const found = name.exec(file);
  if (found === null) return null;
  const [, timeline = '', log = '', segment = ''] = found;
  const perLog = 0x1_0000_0000n / segmentSize;
  const end = (BigInt(`0x${log}`) * perLog + BigInt(`0x${segment}`) + 1n) * segmentSize;
  return { timeline: parseInt(timeline, 16), endLsn: formatLsn(end), segment: `${timeline}${log}${segment}` };
}

function formatLsn(position: bigint): string {
  return `${(position >> 32n).toString(16).toUpperCase()}/${(position & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

export function parseLsn(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
