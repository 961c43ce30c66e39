// What one terragrunt.hcl says: its include merged in, its locals known, everything that hangs on dependencies left as expressions.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { evaluate, parse } from './hcl.js';

export const unitFile = 'terragrunt.hcl';

/** Folders below `root` that hold a unit, without caches. */
export function unitFolders(root) {
  const found = [];
  const look = (folder) => {
    if (existsSync(join(folder, unitFile))) found.push(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules') look(join(folder, entry.name));
  };
  look(root);
  return found.toSorted((a, b) => (a < b ? -1 : 1));
}

export class UnitConfig {
  constructor(folder, env) {
    Object.assign(this, { folder, env });
    this.file = join(folder, unitFile);
    this.own = parse(readFileSync(this.file, 'utf8'), this.file);
    this.functions = this.functionsFor(folder);
    const include = this.own.blocks.find(({ type }) => type === 'include');
    const path = include === undefined ? undefined : resolve(folder, this.valueOf(include.attributes.path, {}));
    this.includeFolder = path === undefined ? folder : dirname(path);
    this.parent = path === undefined ? { attributes: {}, blocks: [] } : parse(readFileSync(path, 'utf8'), path);
    this.locals = { ...this.localsOf(this.parent), ...this.localsOf(this.own) };
  }

  functionsFor(folder) {
    return {
      get_env: (name, fallback) => {
        const value = this.env[name] ?? fallback;
        if (value === undefined) throw new Error(`the environment has no variable ${name}`);
        return value;
      },
      get_terragrunt_dir: () => folder,
      find_in_parent_folders: (name = 'root.hcl') => {
        for (let at = dirname(folder); ; at = dirname(at)) {
          if (existsSync(join(at, name))) return join(at, name);
          if (at === dirname(at)) throw new Error(`there is no ${name} above ${folder}`);
        }
      },
      path_relative_to_include: () => relative(this.includeFolder, folder) || '.',
      get_parent_terragrunt_dir: () => this.includeFolder,
      merge: (...maps) => Object.assign({}, ...maps),
      jsonencode: (value) => JSON.stringify(value),
      tobool: (value) => value === true || value === 'true',
    };
  }

  valueOf(expression, names) {
    return evaluate(expression, { names: { local: this.locals ?? {}, ...names }, functions: this.functions });
  }

  localsOf({ blocks }) {
    const attributes = Object.assign({}, ...blocks.filter(({ type }) => type === 'locals').map((block) => block.attributes));
    return Object.fromEntries(Object.entries(attributes).map(([name, expression]) => [name, this.valueOf(expression, {})]));
  }

  blocksOf(type) {
    return [...this.parent.blocks, ...this.own.blocks].filter((block) => block.type === type);
  }

  /** What the last block of this type says, as values. */
  block(type, names = {}) {
    const found = this.blocksOf(type).at(-1);
    return found === undefined ? undefined : this.valuesOf(found, names);
  }

  valuesOf(block, names = {}) {
    return Object.fromEntries(Object.entries(block.attributes).map(([name, expression]) => [name, this.valueOf(expression, names)]));
  }

  /** By name: where it is, and the outputs to go on with while it has none. */
  get dependencies() {
    return this.blocksOf('dependency').map((block) => {
      const { config_path: path, mock_outputs: mocks, mock_outputs_allowed_terraform_commands: allowed, skip_outputs: skip = false } = this.valuesOf(block);
      return { name: block.labels[0], folder: resolve(this.folder, path), mocks, allowed, skip };
    });
  }

  /** Folders that must be done before this one. */
  get after() {
    const listed = this.blocksOf('dependencies').flatMap((block) => this.valuesOf(block).paths.map((path) => resolve(this.folder, path)));
    return [...new Set([...this.dependencies.map(({ folder }) => folder), ...listed])];
  }

  isExcluded(command) {
    const exclude = this.block('exclude');
    return exclude !== undefined && exclude.if === true && (exclude.actions.includes('all') || exclude.actions.includes(command) || (exclude.actions.includes('all_except_output') && command !== 'output'));
  }

  get rules() {
    const errors = this.blocksOf('errors').flatMap(({ blocks }) => blocks);
    return {
      retry: errors.filter(({ type }) => type === 'retry').map((block) => ({ name: block.labels[0], ...this.valuesOf(block) })),
      ignore: errors.filter(({ type }) => type === 'ignore').map((block) => ({ name: block.labels[0], ...this.valuesOf(block) })),
    };
  }

  inputs(names) {
    return Object.assign({}, ...[this.parent, this.own].map(({ attributes }) => (attributes.inputs === undefined ? {} : this.valueOf(attributes.inputs, names))));
  }

  get remoteState() {
    const block = this.blocksOf('remote_state').at(-1);
    return block === undefined ? undefined : this.valuesOf(block);
  }

  get generated() {
    return this.blocksOf('generate').map((block) => this.valuesOf(block));
  }

  get source() {
    const { source } = this.block('terraform') ?? {};
    return source === undefined ? this.folder : resolve(this.folder, source.replace('//', '/'));
  }
}
