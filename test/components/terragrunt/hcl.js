// The part of HCL that terragrunt.hcl files of the tests use: blocks, attributes, strings with ${}, heredocs, lists, objects,
// references, calls, ! == != && || and ? :. Expressions stay trees; `evaluate` gives their value in a scope.

const space = /(?:\s|#[^\n]*|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
const token = /[A-Za-z_][\w-]*|\d+(?:\.\d+)?|==|!=|&&|\|\||[{}[\]().,=!?:]/y;

class Reader {
  constructor(text, file) {
    Object.assign(this, { text, file, at: 0 });
  }
  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at = pattern.lastIndex;
    return found[0];
  }
  peek() {
    this.match(space);
    if (this.at >= this.text.length) return undefined;
    if (this.text[this.at] === '"' || this.text.startsWith('<<', this.at)) return '"';
    const from = this.at;
    const found = this.match(token);
    this.at = from;
    if (found === undefined) throw this.error(`unexpected ${JSON.stringify(this.text[this.at])}`);
    return found;
  }
  take(expected) {
    const found = this.peek();
    if (expected !== undefined && found !== expected) throw this.error(`expected ${expected}, found ${found ?? 'the end'}`);
    if (found === '"') return this.string();
    this.at += found.length;
    return found;
  }
  error(message) {
    return new Error(`${this.file}:${this.text.slice(0, this.at).split('\n').length}: ${message}`);
  }
  /** A quoted string or heredoc as `{ parts }`: texts and expressions by turns. */
  string() {
    if (this.text.startsWith('<<', this.at)) return this.heredoc();
    this.at += 1;
    const parts = [''];
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined) throw this.error('a string does not end');
      this.at += 1;
      if (char === '"') return { parts };
      if (char === '\\') parts[parts.length - 1] += { n: '\n', t: '\t' }[this.text[this.at]] ?? this.text[this.at];
      if (char === '\\') this.at += 1;
      else if (char === '$' && this.text[this.at] === '{') this.interpolation(parts);
      else parts[parts.length - 1] += char;
    }
  }
  heredoc() {
    const [head, dash, name] = /<<(-?)(\w+)\n/y.exec(this.text.slice(this.at)) ?? [];
    if (head === undefined) throw this.error('not a heredoc');
    const start = this.at + head.length;
    const end = new RegExp(`^[ \\t]*${name}$`, 'm').exec(this.text.slice(start));
    if (end === null) throw this.error(`<<${name} does not end`);
    this.at = start + end.index + end[0].length;
    const body = this.text.slice(start, start + end.index);
    const lines = body.split('\n');
    const indent = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)[0].length));
    const inner = new Reader(dash === '' ? body : lines.map((line) => line.slice(indent)).join('\n'), this.file);
    const parts = [''];
    while (inner.at < inner.text.length) {
      if (inner.text.startsWith('${', inner.at)) {
        inner.at += 1;
        inner.interpolation(parts);
      } else parts[parts.length - 1] += inner.text[inner.at++];
    }
    return { parts };
  }
  interpolation(parts) {
    this.at += 1;
    parts.push(this.expression());
    this.take('}');
    parts.push('');
  }
  expression() {
    const condition = this.either();
    if (this.peek() !== '?') return condition;
    this.take('?');
    const yes = this.expression();
    this.take(':');
    return { condition, yes, no: this.expression() };
  }
  either() {
    return this.chain(['||'], () => this.chain(['&&'], () => this.chain(['==', '!='], () => this.unary())));
  }
  chain(operators, next) {
    let left = next();
    while (operators.includes(this.peek())) left = { operator: this.take(), left, right: next() };
    return left;
  }
  unary() {
    if (this.peek() !== '!') return this.primary();
    this.take('!');
    return { not: this.unary() };
  }
  primary() {
    const next = this.peek();
    if (next === '"') return this.string();
    if (next === '[') return this.list();
    if (next === '{') return this.object();
    if (next === '(') {
      this.take('(');
      const inner = this.expression();
      this.take(')');
      return inner;
    }
    const word = this.take();
    if (/^\d/.test(word)) return { value: Number(word) };
    if (word === 'true' || word === 'false') return { value: word === 'true' };
    if (word === 'null') return { value: null };
    if (!/^[A-Za-z_]/.test(word)) throw this.error(`unexpected ${word}`);
    if (this.peek() === '(') {
      this.take('(');
      const args = this.items(')');
      return { call: word, args };
    }
    const path = [word];
    for (let after = this.peek(); after === '.' || after === '['; after = this.peek()) {
      this.take();
      if (after === '.') path.push(this.take());
      else {
        path.push(this.expression());
        this.take(']');
      }
    }
    return { path };
  }
  items(end) {
    const items = [];
    while (this.peek() !== end) {
      items.push(this.expression());
      if (this.peek() === ',') this.take(',');
    }
    this.take(end);
    return items;
  }
  list() {
    this.take('[');
    return { list: this.items(']') };
  }
  object() {
    this.take('{');
    const entries = [];
    while (this.peek() !== '}') {
      const key = this.take();
      this.take(this.peek() === ':' ? ':' : '=');
      entries.push([typeof key === 'string' ? { parts: [key] } : key, this.expression()]);
      if (this.peek() === ',') this.take(',');
    }
    this.take('}');
    return { entries };
  }
  body(end) {
    const attributes = {};
    const blocks = [];
    while (this.peek() !== end) {
      const name = this.take();
      if (this.peek() === '=') {
        this.take('=');
        attributes[name] = this.expression();
        continue;
      }
      const labels = [];
      while (this.peek() === '"') labels.push(this.string().parts.join(''));
      this.take('{');
      blocks.push({ type: name, labels, ...this.body('}') });
    }
    if (end !== undefined) this.take(end);
    return { attributes, blocks };
  }
}

/** `{ attributes: { name: expression }, blocks: [{ type, labels, attributes, blocks }] }`. */
export function parse(text, file) {
  return new Reader(text, file).body(undefined);
}

/** `scope`: { names: { local: {...}, ... }, functions: { get_env: (...) => ... } }. */
export function evaluate(expression, scope) {
  const of = (each) => evaluate(each, scope);
  if ('parts' in expression) {
    const values = expression.parts.map((part) => (typeof part === 'string' ? part : of(part)));
    return values.length === 3 && values[0] === '' && values[2] === '' ? values[1] : values.map(String).join('');
  }
  if ('value' in expression) return expression.value;
  if ('list' in expression) return expression.list.map(of);
  if ('entries' in expression) return Object.fromEntries(expression.entries.map(([key, value]) => [of(key), of(value)]));
  if ('not' in expression) return !of(expression.not);
  if ('condition' in expression) return of(expression.condition) ? of(expression.yes) : of(expression.no);
  if ('operator' in expression) {
    const { operator, left, right } = expression;
    if (operator === '&&') return of(left) && of(right);
    if (operator === '||') return of(left) || of(right);
    const same = JSON.stringify(of(left)) === JSON.stringify(of(right));
    return operator === '==' ? same : !same;
  }
  if ('call' in expression) {
    const called = scope.functions[expression.call];
    if (called === undefined) throw new Error(`the stand-in has no function ${expression.call}`);
    return called(...expression.args.map(of));
  }
  let value = scope.names;
  for (const step of expression.path) {
    const key = typeof step === 'string' ? step : of(step);
    value = value?.[key];
    if (value === undefined) throw new Error(`${expression.path.map((part) => (typeof part === 'string' ? part : '[...]')).join('.')} is not known`);
  }
  return value;
}
