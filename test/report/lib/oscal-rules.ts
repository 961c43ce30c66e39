/**
 * What OSCAL 1.2.1 and 1.2.2 demand of the parts of Assessment Results that we write, taken from NIST's JSON schema: which members
 * there are, which are required, no empty arrays, and the forms of its data types. The test holds a document against
 * the official schema as well where OSCAL_AR_SCHEMA names a copy of it.
 */
interface Shape {
  readonly required: readonly string[];
  readonly members: Readonly<Record<string, RegExp | Shape | readonly [Shape] | readonly [RegExp] | 'any'>>;
}

const uuid = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[45][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$/;
const token = /^(\p{L}|_)(\p{L}|\p{N}|[.\-_])*$/u;
const text = /^\S(.*\S)?$/;
const day = /((19|2\d)\d\d)-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))|((19|2\d)(0[48]|[2468][048]|[13579][26])|2000|2400|2800)-02-29/;
const time = new RegExp(String.raw`^(${day.source})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)$`);
const uri = /^[a-zA-Z][a-zA-Z0-9+\-.]+:[^\s<>"{}|\\^`]+$/;
const uriReference = /^(?:[^\s<>"{}|\\^`%]|%[0-9A-Fa-f]{2})+$/;
/** MarkupLine. */
const line = /^(?=.*\S)[^\n\r]+$/;
/** MarkupMultiline may be empty; ours never is. */
const prose = /\S/;

const property: Shape = { required: ['name', 'value'], members: { name: token, ns: uri, value: text } };
const evidence: Shape = { required: ['description'], members: { href: uriReference, description: prose } };
const observation: Shape = { required: ['uuid', 'description', 'methods', 'collected'], members: { uuid, title: line, description: prose, methods: [/^(EXAMINE|INTERVIEW|TEST|UNKNOWN)$/], types: [token], 'relevant-evidence': [evidence], collected: time, remarks: prose } };
const status: Shape = { required: ['state'], members: { state: /^(satisfied|not-satisfied)$/, reason: /^(pass|fail|other)$/, remarks: prose } };
const target: Shape = { required: ['type', 'target-id', 'status'], members: { type: /^(statement-id|objective-id)$/, 'target-id': token, status } };
const finding: Shape = { required: ['uuid', 'title', 'description', 'target'], members: { uuid, title: line, description: prose, target, 'related-observations': [{ required: ['observation-uuid'], members: { 'observation-uuid': uuid } }] } };
const selection: Shape = { required: ['include-controls'], members: { description: prose, 'include-controls': [{ required: ['control-id'], members: { 'control-id': token } }] } };
const result: Shape = {
  required: ['uuid', 'title', 'description', 'start', 'reviewed-controls'],
  members: { uuid, title: line, description: prose, start: time, end: time, props: [property], 'reviewed-controls': { required: ['control-selections'], members: { 'control-selections': [selection] } }, observations: [observation], findings: [finding], remarks: prose },
};
const resource: Shape = { required: ['uuid'], members: { uuid, title: line, rlinks: [{ required: ['href'], members: { href: uriReference, 'media-type': /^[\w.+-]+\/[\w.+-]+$/, hashes: [{ required: ['value', 'algorithm'], members: { algorithm: /^SHA-256$/, value: /^[0-9a-f]{64}$/ } }] } }] } };
const metadata: Shape = {
  required: ['title', 'last-modified', 'version', 'oscal-version'],
  members: {
    title: line, 'last-modified': time, version: text, 'oscal-version': /^1\.2\.\d+$/, remarks: prose,
    roles: [{ required: ['id', 'title'], members: { id: token, title: line } }],
    parties: [{ required: ['uuid', 'type'], members: { uuid, type: /^(person|organization)$/, name: text } }],
    'responsible-parties': [{ required: ['role-id', 'party-uuids'], members: { 'role-id': token, 'party-uuids': [uuid] } }],
  },
};
const results: Shape = { required: ['uuid', 'metadata', 'import-ap', 'results'], members: { uuid, metadata, 'import-ap': { required: ['href'], members: { href: uriReference, remarks: prose } }, results: [result], 'back-matter': { required: ['resources'], members: { resources: [resource] } } } };
const root: Shape = { required: ['assessment-results'], members: { 'assessment-results': results } };

/** Everything in which a document breaks those rules. */
export function brokenRules(document: unknown): string[] {
  return look(document, root, '');
}

function look(value: unknown, rule: Shape['members'][string], path: string): string[] {
  if (rule === 'any') return [];
  if (rule instanceof RegExp) return typeof value === 'string' && rule.test(value) ? [] : [`${path}: ${JSON.stringify(value)} is not ${String(rule)}`];
  if ('required' in rule) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path}: not an object`];
    const missing = rule.required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${path}: ${name} is missing`);
    return [...missing, ...Object.entries(value).flatMap(([name, member]) => (rule.members[name] === undefined ? [`${path}: ${name} does not belong there`] : look(member, rule.members[name], `${path}/${name}`)))];
  }
  if (!Array.isArray(value) || value.length === 0) return [`${path}: not a list with something in it`];
  return value.flatMap((item, index) => look(item, rule[0], `${path}/${index}`));
}

/** Every reference in it that leads nowhere, and every UUID that stands for two things: no schema sees these. */
export function danglingReferences(document: unknown): string[] {
  const defined: string[] = [];
  const wanted: string[] = [];
  const roles = new Set<unknown>();
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      if (key === 'uuid') defined.push(value);
      else if (key === 'href' && value.startsWith('#')) wanted.push(value.slice(1));
      else if (key === 'observation-uuid' || key === 'party-uuids') wanted.push(value);
    } else if (Array.isArray(value)) {
      if (key === 'roles') for (const role of value as { id: unknown }[]) roles.add(role.id);
      for (const item of value) walk(item, key);
    } else if (typeof value === 'object' && value !== null) for (const [name, member] of Object.entries(value)) walk(member, name);
  };
  walk(document, '');
  const responsible = JSON.stringify(document).matchAll(/"role-id":"([^"]*)"/g);
  return [
    ...wanted.filter((each) => !defined.includes(each)).map((each) => `${each} is nowhere`),
    ...defined.filter((each, index) => defined.indexOf(each) !== index).map((each) => `${each} stands for two things`),
    ...[...responsible].flatMap(([, role]) => (roles.has(role) ? [] : [`there is no role ${role}`])),
  ];
}
