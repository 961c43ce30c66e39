import { ask, inDialogue, type Terminal } from './dialogue.js';

/** Asks for credentials to be renewed where they come from, never for a secret itself. False when given up, and once the terminal is gone. */
export function askToRenew(terminal: Terminal, what: string, signal: AbortSignal): Promise<boolean> {
  return inDialogue(terminal, signal, async (lines) => {
    terminal.output.write(`\nCredentials are refused\n  ${what}\n${help}\n`);
    const answer = await ask(lines, 'Renewed? [r/a] ', (text) => /^[ra]$/i.test(text), signal);
    return answer?.toLowerCase() === 'r';
  });
}

const help = `  r  try again: the password file is read again, before PGPASSWORD. The drill's clock goes on, as waiting for people.
  a  give up: what needs them fails.
`;
