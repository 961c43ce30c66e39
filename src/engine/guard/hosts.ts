import { isIPv6 } from 'node:net';

/**
 * One spelling for each host: lower case, no brackets, no trailing dots, IDNA as ASCII, IPv4 in dotted decimals
 * (from octal, hex, one number, or mapped into IPv6), IPv6 compressed. undefined for what is no single host:
 * lists, white space, user info, paths, percent signs.
 */
export function canonicalHost(text: string): string | undefined {
  const bare = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text;
  if (bare === '' || /[\s,/?#@%\\\0]/.test(bare)) return undefined;
  const form = isAddress6(bare) ? `[${bare}]` : bare.replace(/\.+$/, '');
  if (form === '' || (form === bare && form.includes(':'))) return undefined;
  const url = `http://${form}/`;
  if (!URL.canParse(url)) return undefined;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (mapped === null) return host === '' ? undefined : host;
  const [high, low] = [parseInt(mapped[1] ?? '', 16), parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** Node compiles an expression of milliseconds for isIPv6: not for names and IPv4. */
function isAddress6(text: string): boolean {
  return text.includes(':') && isIPv6(text);
}

/** Does a connection to this host stay on this machine? Canonical form; 0.0.0.0 and :: connect to loopback too. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || host === '::' || host === '0.0.0.0' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

export interface HostPattern {
  readonly host: string;
  /** undefined: any port. */
  readonly port: number | undefined;
}

/** `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. Throws RangeError. */
export function parseHostPattern(text: string): HostPattern {
  const match = isAddress6(text) ? null : /^(.*):(\d{1,5})$/.exec(text);
  const host = canonicalHost(match?.[1] ?? text);
  const port = match === null ? undefined : Number(match[2]);
  if (host === undefined || (port !== undefined && !isPort(port))) throw new RangeError(`expected host or host:port, found ${JSON.stringify(text)}`);
  return { host, port };
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}

/** For what is allowed: the same host and port exactly; `localhost` stands for both loopback addresses. */
export function allows(pattern: HostPattern, host: string, port: number): boolean {
  if (pattern.port !== undefined && pattern.port !== port) return false;
  return pattern.host === host || (pattern.host === 'localhost' && (host === '127.0.0.1' || host === '::1'));
}

/** For what is refused: any spelling under which the same server may answer. */
export function mayBe(pattern: HostPattern, host: string, port: number): boolean {
  if (pattern.port !== undefined && pattern.port !== port) return false;
  return pattern.host === host || (isLoopback(pattern.host) && isLoopback(host));
}

/** `host:port` as the environment would write it. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
