/** `16/B374D848` as a number; null when it is none. */
export function parseLsn(text: string | null | undefined): bigint | null {
  const found = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text ?? '');
  return found === null ? null : (BigInt(`0x${found[1]}`) << 32n) + BigInt(`0x${found[2]}`);
}
