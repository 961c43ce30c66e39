import type { PostgresSession } from '../../../clients/postgres/port.js';
import { exists, one, transaction } from './session.js';

/**
 * Orders something and pays for it out of a random account, if it has the funds, in one transaction. Throws SQL errors as
 * they are. It takes its locks in the order orders, accounts, transfers, and nothing before that: DROP TABLE of the orders
 * takes them in that order too (for the foreign key), and would else end in a deadlock now and then.
 */
export async function transfer(session: PostgresSession, table: string): Promise<{ readonly moved: boolean; readonly ordered: boolean }> {
  const orders = await exists(session, table);
  const { last } = await one<{ last: number | null }>(session, 'SELECT max(id) AS last FROM accounts');
  if (last === null || last < 2) return { moved: false, ordered: false };
  const debit = 1 + Math.floor(Math.random() * last);
  const credit = 1 + (debit % last);
  const amount = (1 + Math.floor(Math.random() * 10_000)) / 100;
  return transaction(session, 'BEGIN', async () => {
    if (orders) await session.query(`INSERT INTO ${session.identifier(table)} (account, amount, note) VALUES ($1, $2, 'from the workload')`, [debit, amount]);
    const paid = await session.query('UPDATE accounts SET balance = balance - $2 WHERE id = $1 AND balance >= $2', [debit, amount]);
    if (paid.rowCount === 0) return { moved: false, ordered: orders };
    await session.query('UPDATE accounts SET balance = balance + $2 WHERE id = $1', [credit, amount]);
    await session.query('INSERT INTO transfers (debit, credit, amount) VALUES ($1, $2, $3)', [debit, credit, amount]);
    return { moved: true, ordered: orders };
  });
}
