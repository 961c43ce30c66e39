/** The data types of RFC 4251 section 5: uint32 and length-prefixed strings. */
export class WireReader {
  #offset = 0;
  constructor(private readonly data: Buffer) {}

  get rest(): Buffer {
    return this.data.subarray(this.#offset);
  }

  bytes(length: number): Buffer {
    if (this.#offset + length > this.data.length) throw new RangeError('truncated');
    const found = this.data.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return found;
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE();
  }

  string(): Buffer {
    return this.bytes(this.uint32());
  }

  text(): string {
    return this.string().toString('utf8');
  }
}

export function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

export function string(value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** An unsigned big-endian number as mpint: no leading zeros, one zero byte where the top bit is set. */
export function mpint(unsigned: Buffer): Buffer {
  let start = 0;
  while (start < unsigned.length && unsigned[start] === 0) start++;
  const trimmed = unsigned.subarray(start);
  return string(trimmed.length > 0 && (trimmed[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed);
}

/** The mpint's bytes as an unsigned number of exactly `length` bytes; throws RangeError when it is negative, padded or too long. */
export function unsignedOf(value: Buffer, length: number): Buffer {
  const first = value[0] ?? 0;
  if (first >= 0x80) throw new RangeError('negative number');
  if (first === 0 && value.length > 1 && (value[1] ?? 0) < 0x80) throw new RangeError('number is not in its shortest form');
  const trimmed = first === 0 ? value.subarray(1) : value;
  if (trimmed.length > length) throw new RangeError('number too long');
  return Buffer.concat([Buffer.alloc(length - trimmed.length), trimmed]);
}
