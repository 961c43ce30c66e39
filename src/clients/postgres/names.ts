/** `muster/<run>/<who>/<label>`, cut to the 63 bytes that PostgreSQL keeps. */
export function applicationName(run: string, who: string, label: string | undefined): string {
  const name = ['muster', run, who, ...(label === undefined ? [] : [label])].join('/').replace(/[^\x20-\x7e]/g, '?');
  return name.slice(0, 63);
}
