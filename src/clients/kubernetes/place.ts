import type { Effect } from '../../engine/define-step.js';
import { StepError } from '../../engine/errors.js';
import type { Target } from '../../engine/scope.js';
import type { Discovery, Served } from './discovery.js';
import type { Collection } from './port.js';
import type { Request, Session } from './session.js';

export interface Asked {
  readonly method: Request['method'];
  readonly name?: string;
  readonly subresource?: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly effect: Effect;
  readonly repeatable: boolean;
  /** For errors; default the method's: `get`, `list`, `delete`. */
  readonly verb?: string;
}

/** Where the objects of one kind are, for the server and for the guard. */
export class Place {
  readonly namespace: string | undefined;

  constructor(private readonly session: Session, readonly served: Served, namespace: string | undefined) {
    this.namespace = served.namespaced ? (namespace ?? session.client.details.namespace) : undefined;
  }

  static async of(session: Session, discovery: Discovery, { kind, apiVersion, namespace }: Collection): Promise<Place> {
    return new Place(session, await discovery.find({ kind, ...(apiVersion === undefined ? {} : { apiVersion }) }), namespace);
  }

  /** `deployments.apps` */
  get resource(): string {
    return this.served.group === '' ? this.served.plural : `${this.served.plural}.${this.served.group}`;
  }

  /** In words: `deployments.apps shop/web`. */
  named(name: string | undefined): string {
    return `${this.resource}${name === undefined ? (this.namespace === undefined ? '' : ` in ${this.namespace}`) : ` ${this.namespace === undefined ? '' : `${this.namespace}/`}${name}`}`;
  }

  request({ method, name, subresource, query = {}, body, contentType, accept, effect, repeatable, verb }: Asked): Request {
    const { served, namespace } = this;
    if (name === '' || name === '.' || name === '..') throw new StepError('k8s-rejected', `${JSON.stringify(name)} is no name of an object`);
    const parts = [served.group === '' ? 'api' : 'apis', served.apiVersion, ...(namespace === undefined ? [] : ['namespaces', encodeURIComponent(namespace)]), served.plural, ...[name, subresource].flatMap((part) => (part === undefined ? [] : [encodeURIComponent(part)]))];
    const given = Object.entries(query).flatMap(([key, value]): [string, string][] => (value === undefined ? [] : [[key, String(value)]]));
    const { connection, role } = this.session;
    const { context, server, uid } = this.session.client.details;
    const target: Target = { kind: 'kubernetes', connection, role, context, server, uid, resource: this.resource, ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) };
    return {
      method,
      path: `/${parts.join('/')}${given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`}`,
      ...(body === undefined ? {} : { body }),
      ...(contentType === undefined ? {} : { contentType }),
      ...(accept === undefined ? {} : { accept }),
      what: `${verb ?? method.toLowerCase()} ${this.named(name)}`,
      effect,
      repeatable,
      target,
    };
  }
}
