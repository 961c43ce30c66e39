// One unit at work: its working copy, its backend, the outputs that it hangs on, and real terraform in it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const lockName = '.terraform.lock.hcl';

export class Unit {
  constructor(config, root, settings) {
    Object.assign(this, { config, settings });
    this.folder = config.folder;
    this.name = relative(root, config.folder) || '.';
    const base = settings.downloadDir ?? join(config.folder, '.terragrunt-cache');
    this.workDir = join(base, createHash('sha256').update(config.folder).digest('base64url').slice(0, 27), 'work');
  }

  /** Copies the module, writes the backend, and inits where nothing has yet. */
  async prepare() {
    mkdirSync(this.workDir, { recursive: true });
    cpSync(this.config.source, this.workDir, { recursive: true, filter: (path) => !path.includes('/.terraform/') && !path.endsWith('.tfstate') });
    if (existsSync(join(this.folder, lockName))) cpSync(join(this.folder, lockName), join(this.workDir, lockName));
    for (const { path, contents } of this.config.generated) writeFileSync(join(this.workDir, path), contents);
    const { backend, config } = this.config.remoteState ?? {};
    const text = backend === undefined ? '' : `terraform {\n  backend "${backend}" {\n${attributes(config, '    ')}  }\n}\n`;
    const file = join(this.workDir, 'backend.tf');
    const current = existsSync(file) && readFileSync(file, 'utf8') === text && existsSync(join(this.workDir, '.terraform', backend === undefined ? '' : 'terraform.tfstate'));
    if (current) return;
    writeFileSync(file, text);
    const { code, stderr } = await this.terraform(['init', '-input=false', '-no-color', '-reconfigure'], {});
    if (code !== 0) throw new Error(stderr.trim());
  }

  /** `inputs` go to terraform as TF_VAR_*, as Terragrunt gives them. */
  terraform(args, inputs, onLine) {
    const env = { ...this.settings.env };
    for (const [name, value] of Object.entries(inputs)) env[`TF_VAR_${name}`] ??= typeof value === 'string' ? value : JSON.stringify(value);
    return new Promise((resolve, reject) => {
      const child = spawn(this.settings.tfPath, args, { cwd: this.workDir, env, stdio: ['inherit', 'pipe', 'pipe'] });
      this.settings.children.add(child);
      const said = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr']) {
        let partial = '';
        child[stream].setEncoding('utf8').on('data', (text) => {
          said[stream] += text;
          const lines = (partial + text).split('\n');
          partial = lines.pop();
          for (const line of lines) onLine?.(line, stream);
        });
        child[stream].on('end', () => partial !== '' && onLine?.(partial, stream));
      }
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.settings.children.delete(child);
        resolve({ code: code ?? 1, signal, ...said });
      });
    });
  }

  async outputs() {
    await this.prepare();
    const { code, stdout, stderr } = await this.terraform(['output', '-json', '-no-color'], {});
    if (code !== 0) throw new Error(stderr.trim());
    return Object.fromEntries(Object.entries(JSON.parse(stdout)).map(([name, { value }]) => [name, value]));
  }
}

function attributes(config, indent) {
  return Object.entries(config)
    .map(([name, value]) => `${indent}${name} = ${typeof value === 'object' ? `{ ${Object.entries(value).map(([key, each]) => `${key} = ${JSON.stringify(each)}`).join(', ')} }` : JSON.stringify(value)}\n`)
    .join('');
}
