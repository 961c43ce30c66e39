import { StepError } from '../../engine/errors.js';
import { notServed } from './errors.js';
import type { KindName, Resource } from './port.js';
import type { Session } from './session.js';

interface ResourceList {
  readonly groupVersion: string;
  readonly resources: readonly { readonly name: string; readonly singularName?: string; readonly kind: string; readonly namespaced: boolean; readonly verbs: readonly string[]; readonly shortNames?: readonly string[]; readonly group?: string; readonly version?: string }[];
}

interface GroupList {
  readonly groups: readonly { readonly name: string; readonly versions: readonly { readonly groupVersion: string }[]; readonly preferredVersion: { readonly groupVersion: string } }[];
}

/** A resource with all its names, and the API versions that its subresources are asked with. */
export interface Served extends Resource {
  readonly names: ReadonlySet<string>;
  readonly subresourceVersions: ReadonlyMap<string, string>;
}

/** What the server serves, from its own description; asked once a process and again for a kind that is not found. */
export class Discovery {
  constructor(private readonly session: Session) {}

  async find(name: KindName): Promise<Served> {
    const found = await this.#look(name);
    if (found !== undefined) return found;
    await this.session.settled();
    this.session.client.descriptions.clear();
    const now = await this.#look(name);
    if (now === undefined) throw new StepError('k8s-no-such-kind', `the API server knows no kind ${name.kind}${name.apiVersion === undefined ? '' : ` in ${name.apiVersion}`}`, { hint: await this.#hint(name) });
    return now;
  }

  /** Every kind once, in its preferred version; and the group versions that did not answer. */
  async all(): Promise<{ readonly served: readonly Served[]; readonly unavailable: readonly string[] }> {
    const unavailable: string[] = [];
    const lists = await Promise.all(
      (await this.#versions()).map(async (version) => {
        try {
          return await this.#list(version);
        } catch (error) {
          // An aggregated API whose server is away must not hide all others.
          if (!(error instanceof StepError) || error.code === 'k8s-unauthorized' || error.code === 'k8s-other-cluster') throw error;
          unavailable.push(version);
          return [];
        }
      }),
    );
    const seen = new Map<string, Served>();
    for (const served of lists.flat()) {
      const key = `${served.group}/${served.kind}`;
      if (!seen.has(key)) seen.set(key, served);
    }
    return { served: [...seen.values()], unavailable };
  }

  async #look({ kind, apiVersion }: KindName): Promise<Served | undefined> {
    const lower = kind.toLowerCase();
    const dot = lower.indexOf('.');
    const name = dot === -1 ? lower : lower.slice(0, dot);
    if (apiVersion !== undefined) return (await this.#list(apiVersion)).find(({ names }) => names.has(name));
    const group = dot === -1 ? undefined : lower.slice(dot + 1);
    const { served } = await this.all();
    return served.find((each) => each.names.has(name) && (group === undefined || each.group === group));
  }

  async #hint({ kind, apiVersion }: KindName): Promise<string> {
    if (apiVersion === undefined) return notServed;
    const name = kind.toLowerCase().split('.')[0] ?? '';
    const others = (await this.all()).served.filter(({ names }) => names.has(name)).map((each) => each.apiVersion);
    return others.length === 0 ? notServed : `It has the kind in: ${others.join(', ')}.`;
  }

  /** `v1` first, the preferred version of each group before its others, `extensions` (served twice by old clusters) last. */
  async #versions(): Promise<string[]> {
    const { groups } = (await this.#get('/apis')) as GroupList;
    const inOrder = groups.toSorted((a, b) => Number(a.name === 'extensions') - Number(b.name === 'extensions'));
    const versions = inOrder.flatMap(({ preferredVersion, versions: all }) => [preferredVersion.groupVersion, ...all.map(({ groupVersion }) => groupVersion)]);
    return [...new Set(['v1', ...versions])];
  }

  async #list(version: string): Promise<Served[]> {
    let list: ResourceList;
    try {
      list = (await this.#get(version.includes('/') ? `/apis/${version}` : `/api/${version}`)) as ResourceList;
    } catch (error) {
      if (error instanceof StepError && (error.code === 'k8s-not-found' || error.code === 'k8s-no-such-kind')) return [];
      throw error;
    }
    const group = version.includes('/') ? version.slice(0, version.indexOf('/')) : '';
    return list.resources.flatMap((resource) => {
      if (resource.name.includes('/')) return [];
      const prefix = `${resource.name}/`;
      const subresources = list.resources.filter(({ name }) => name.startsWith(prefix)).map((each) => ({ ...each, name: each.name.slice(prefix.length) }));
      return [
        {
          group,
          apiVersion: version,
          kind: resource.kind,
          plural: resource.name,
          namespaced: resource.namespaced,
          verbs: resource.verbs,
          subresources: subresources.map(({ name }) => name),
          names: new Set([resource.name, resource.kind.toLowerCase(), resource.singularName ?? '', ...(resource.shortNames ?? [])].filter((name) => name !== '')),
          subresourceVersions: new Map(subresources.map((each) => [each.name, each.version === undefined ? version : `${each.group === undefined || each.group === '' ? '' : `${each.group}/`}${each.version}`])),
        },
      ];
    });
  }

  async #get(path: string): Promise<unknown> {
    const { descriptions } = this.session.client;
    const known = descriptions.get(path);
    if (known !== undefined) return known;
    const answer = await this.session.json({ method: 'GET', path, what: `ask what the API server serves (${path})`, effect: 'read', repeatable: true, ...(path.startsWith('/apis/') ? { optional: true } : {}) });
    descriptions.set(path, answer);
    return answer;
  }
}
