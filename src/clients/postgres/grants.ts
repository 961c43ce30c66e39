import type { SqlRight } from '../../engine/permission.js';

/** server_version_num from which MAINTAIN exists. */
export const maintainSince = 170_000;

/** `name` or `schema.name` as SQL; plain lower-case names stay bare. */
export function sqlName(name: string): string {
  return name.split('.').map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join('.');
}

/**
 * The statement that gives `right` to `role`, as a superuser runs it; undefined for what needs none (the run makes the
 * table itself, everyone may call the function) or can only be decided by a person. `version`: server_version_num.
 */
export function grantStatement(right: SqlRight, role: string, version: number): string | undefined {
  const to = sqlName(role);
  switch (right.on) {
    case 'table': {
      if (right.made === true) return undefined;
      // Whoever may change rows may lock them.
      const locks = right.privileges.some((privilege) => privilege === 'UPDATE' || privilege === 'DELETE' || privilege === 'TRUNCATE');
      const privileges = new Set(right.privileges.flatMap((privilege) => (privilege !== 'LOCK' ? [privilege] : locks ? [] : version >= maintainSince ? ['MAINTAIN'] : ['UPDATE'])));
      return `GRANT ${[...privileges].join(', ')} ON TABLE ${sqlName(right.name)} TO ${to};`;
    }
    case 'owner':
      // Who owns a table is known to its server alone.
      return `DO $$ BEGIN EXECUTE format('GRANT %I TO %I', (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = ${literal(sqlName(right.name))}::regclass), ${literal(role)}); END $$;`;
    case 'schema':
      return `GRANT ${right.privileges.join(', ')} ON SCHEMA ${sqlName(right.name)} TO ${to};`;
    case 'function':
      return right.byDefault === true ? undefined : `GRANT EXECUTE ON FUNCTION ${right.name} TO ${to};`;
    case 'role':
      return `GRANT ${sqlName(right.name)} TO ${to};`;
    case 'superuser':
      return `ALTER ROLE ${to} SUPERUSER;`;
    case 'statement':
      return undefined;
  }
}

/** A right in words, once per object. */
export function rightInWords(right: SqlRight): string {
  switch (right.on) {
    case 'table':
      return `${right.privileges.join(', ')} on ${right.name}`;
    case 'owner':
      return `owner of ${right.name}`;
    case 'schema':
      return `${right.privileges.join(', ')} on schema ${right.name}`;
    case 'function':
      return `EXECUTE on ${right.name}`;
    case 'role':
      return `member of ${right.name}`;
    case 'superuser':
      return 'superuser';
    case 'statement':
      return `what this needs: ${right.sql}`;
  }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
