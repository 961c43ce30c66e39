/** A PostgreSQL LSN as a number; null for what is none. */
export function parseLsn(text: string | null | undefined): bigint | null {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text ?? '');
  return match ? (BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`) : null;
}

/** The larger of those that are known. */
export function maxLsn(all: readonly (bigint | null)[]): bigint | null {
  return all.reduce<bigint | null>((max, lsn) => (lsn !== null && (max === null || lsn > max) ? lsn : max), null);
}

/** As pg_lsn prints it. */
export const lsnShort = (lsn: bigint): string => `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
