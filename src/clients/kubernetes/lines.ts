import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';

/** Lines as they come. Throws when the answer breaks off within one, or the connection is lost. */
export async function* linesOf(response: IncomingMessage): AsyncIterable<string> {
  const decoder = new StringDecoder('utf8');
  let rest: string[] = [];
  for await (const chunk of response) {
    const parts = decoder.write(chunk as Buffer).split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      const line = [...rest, part].join('');
      rest = [];
      if (line !== '') yield line;
    }
    rest.push(last);
  }
  if (!response.complete || rest.join('') !== '') throw new Error('the answer broke off');
}
