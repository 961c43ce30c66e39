import { Type } from 'typebox';

export const Binaries = Type.String({ pattern: '^/', description: 'Absolute folder of another PostgreSQL, such as /usr/lib/postgresql/17/bin' });
export const Settings = Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_.]*$' }), Type.String(), { description: 'For postgresql.conf' });
export const User = Type.String({ minLength: 1, description: 'The operating system user of the server when Muster runs as root; default nobody' });
