import type pg from 'pg';

/** Dates and times stay text: a JavaScript Date would drop their microseconds. Arrays of them become arrays of text. */
const asText = new Set([1082, 1083, 1114, 1184, 1186, 1266]);
const asTextArray = new Set([1115, 1182, 1183, 1185, 1187, 1270]);
const textArray = 1009;

/** pg's own value parsers, but for dates and times. pg itself already leaves int8 and numeric as text. */
export function valueTypes(types: typeof pg.types): pg.CustomTypesConfig {
  return {
    getTypeParser: (oid: number, format?: 'text' | 'binary') => {
      if (asText.has(oid)) return (value: string) => value;
      return format === 'binary' ? types.getTypeParser(oid, 'binary') : types.getTypeParser(asTextArray.has(oid) ? textArray : oid, 'text');
    },
  };
}
