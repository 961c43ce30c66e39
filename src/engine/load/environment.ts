import type { CatalogEntry } from '../catalog.js';
import { validator } from '../validators.js';
import { didYouMean } from './nearest.js';
import { listed, type Pointer, type Report } from './report.js';
import { reportSchema } from './schema-errors.js';
import { isMapping, list, mapping, text, type Mapping } from './shape.js';
import { refuseTemplates } from './templates.js';
import { checkWith, eachReference, typeIn } from './types.js';

/** Reports everything that is wrong with an environment by itself, without a runbook. */
export function checkEnvironment(value: unknown, catalog: ReadonlyMap<string, CatalogEntry>, report: Report): void {
  reportSchema(validator('environment'), value, [], report);
  if (!isMapping(value)) return;
  const connections = mapping(value['connections']);
  const names = Object.keys(connections);
  const unknown = (name: string, candidates: readonly string[], what: string) => ({
    message: `there is no connection "${name}"`,
    expected: candidates.length === 0 ? what : `${what}: ${listed(candidates)}`,
    found: `"${name}"`,
    hint: didYouMean(name, candidates),
  });

  // A connection whose own `kind` is wrong is reported there, not at those that name it.
  const provides = (connection: Mapping, kind: string) => connection['kind'] === kind || catalog.get(text(connection['provision']) ?? '')?.kinds.includes(kind) === true;

  for (const [name, connection] of Object.entries(connections)) {
    if (!isMapping(connection)) continue;
    const pointer = ['connections', name];
    const entry = typeIn(connection, 'provision', 'provisioner', pointer, catalog, report);
    if (entry === undefined) continue;
    const kind = text(connection['kind']);
    if (kind !== undefined && !entry.kinds.includes(kind)) {
      report.add([...pointer, 'kind'], { message: `${entry.type} does not provide kind "${kind}"`, expected: listed(entry.kinds), found: `"${kind}"`, hint: didYouMean(kind, entry.kinds) });
    }
    checkWith(connection, entry, pointer, report);
    eachReference(connection, entry, pointer, (other, reference, at) => {
      if (reference.to !== 'connection') return;
      const fitting = names.filter((each) => each !== name && (reference.kind === '*' || provides(mapping(connections[each]), reference.kind ?? '*')));
      if (!fitting.includes(other)) report.add(at, unknown(other, fitting, reference.kind === '*' ? 'another connection' : `a connection of kind ${reference.kind}`));
    });
  }

  for (const [name, endpoint] of Object.entries(mapping(value['endpoints']))) {
    const pointer = ['endpoints', name];
    if (names.includes(name)) report.add(pointer, { message: `"${name}" is the name of a connection already`, expected: 'a name of its own', found: `"${name}"` }, 'key');
    const { to, provision, host, port } = mapping(endpoint);
    if (typeof to === 'string' && !names.includes(to)) report.add([...pointer, 'to'], unknown(to, names, 'a connection'));
    const behind = to !== undefined && host === undefined && port === undefined;
    if (provision === 'existing' && !behind && (host === undefined || port === undefined)) {
      report.add(pointer, { message: 'an existing endpoint needs its address', expected: 'host and port, or a connection in `to`, whose address it then is', found: host === undefined ? (port === undefined ? 'neither' : 'port only') : 'host only' }, 'key');
    }
  }
  checkWatch(mapping(value['watch']), catalog, report, (name, kind, at) => {
    const fitting = names.filter((each) => provides(mapping(connections[each]), kind));
    if (!fitting.includes(name)) report.add(at, unknown(name, fitting, `a connection of kind ${kind}`));
  });
  const { required, allowedSigners } = mapping(value['approvals']);
  if (typeof required === 'number' && required > 0 && allowedSigners === undefined) {
    report.add(['approvals'], { message: 'approvals are demanded, and nothing says whose signatures count', expected: '"allowedSigners": a file as ssh-keygen(1) describes it', found: 'nothing' }, 'key');
  }
  for (const [index, sink] of list(value['sinks']).entries()) {
    const { type, urlFrom } = mapping(sink);
    if (type === 'webhook' && urlFrom === undefined) report.add(['sinks', index], { message: 'a webhook needs an address', expected: '"urlFrom": the environment variable that holds it, such as SLACK_WEBHOOK_URL', found: 'nothing' }, 'key');
  }
  refuseTemplates(value, [], 'an environment is read as it stands', report);
}

/** `watch` names watchers by their system: `postgres` is the type `postgres.changes`. */
function checkWatch(watch: Mapping, catalog: ReadonlyMap<string, CatalogEntry>, report: Report, checkConnection: (name: string, kind: string, pointer: Pointer) => void): void {
  const known = new Map([...catalog.values()].filter(({ role }) => role === 'watcher').map((entry) => [entry.type.replace(/\.changes$/, ''), entry]));
  const named = ['required', 'advisory'].flatMap((kind) => list(watch[kind]).map((name, index) => ({ name: text(name), pointer: ['watch', kind, index] })));
  for (const { name, pointer } of named) {
    if (name !== undefined && !known.has(name)) report.add(pointer, { message: `there is no watcher "${name}"`, expected: listed([...known.keys()]), found: `"${name}"`, hint: didYouMean(name, [...known.keys()]) });
  }
  const inputs = mapping(watch['with']);
  for (const name of Object.keys(inputs)) {
    const entry = known.get(name);
    if (entry === undefined || !named.some((each) => each.name === name)) report.add(['watch', 'with', name], { message: `no watcher "${name}" is named here`, expected: 'a watcher under `required` or `advisory`', found: `"${name}"` }, 'key');
    else {
      const at = ['watch', 'with', name];
      checkWith({ with: inputs[name] }, entry, at, report, at);
      eachReference({ with: inputs[name] }, entry, at, (other, { to, kind = '*' }, where) => {
        if (to === 'connection') checkConnection(other, kind, where);
      }, at);
    }
  }
}
