import type { PostgresSession } from '../../../clients/postgres/port.js';
import { exists, one, transaction } from './session.js';

/** Moves an amount between two random accounts and orders something, in one transaction. Throws SQL errors as they are. */
export async function transfer(session: PostgresSession, table: string): Promise<{ readonly moved: boolean; readonly ordered: boolean }> {
  const orders = await exists(session, table);
  return transaction(session, 'BEGIN', async () => {
    const { last } = await one<{ last: number | null }>(session, 'SELECT max(id) AS last FROM accounts');
    if (last === null || last < 2) return { moved: false, ordered: false };
    const debit = 1 + Math.floor(Math.random() * last);
    const credit = 1 + (debit % last);
    const amount = (1 + Math.floor(Math.random() * 10_000)) / 100;
    const paid = await session.query('UPDATE accounts SET balance = balance - $2 WHERE id = $1 AND balance >= $2', [debit, amount]);
    if (paid.rowCount === 0) return { moved: false, ordered: false };
    await session.query('UPDATE accounts SET balance = balance + $2 WHERE id = $1', [credit, amount]);
    await session.query('INSERT INTO transfers (debit, credit, amount) VALUES ($1, $2, $3)', [debit, credit, amount]);
    if (orders) await session.query(`INSERT INTO ${session.identifier(table)} (account, amount, note) VALUES ($1, $2, 'paid by transfer')`, [debit, amount]);
    return { moved: true, ordered: orders };
  });
}
