import { open, stat } from 'node:fs/promises';
import type { Observation, WatchContext } from '../../../engine/define-watcher.js';
import { messageOf } from '../../../engine/errors.js';
import { planned } from './declare.js';

/** The part of audit.k8s.io/v1 Event that is read. */
interface AuditEvent {
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly user?: { readonly username?: string };
  readonly impersonatedUser?: { readonly username?: string };
  readonly userAgent?: string;
  readonly objectRef?: { readonly resource?: string; readonly namespace?: string; readonly name?: string; readonly apiGroup?: string; readonly subresource?: string };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp?: string;
}

export interface AuditPlace {
  readonly system: string;
  readonly scope: Observation['scope'];
  readonly namespaces: readonly string[];
  /** Is that cluster-scoped object in the boundary? */
  readonly isNamed: (resource: string, name: string) => boolean;
}

const writes = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
/** They reach into a pod and leave no trace in its object. */
const sessions = new Set(['exec', 'attach', 'portforward', 'proxy']);
const pieceBytes = 1 << 20;

/** The audit log of an API server as it writes it (--audit-log-path), one event a line. Tells of each change who made it, to the microsecond. */
export class AuditLog {
  #at = 0;
  #rest = '';
  /** Objects of which it told a change. */
  readonly told = new Set<string>();

  constructor(private readonly file: string, private readonly place: AuditPlace, private readonly ctx: WatchContext) {}

  async begin(): Promise<void> {
    this.#at = (await stat(this.file)).size;
  }

  /** What was written since the last look. */
  async look(): Promise<readonly Observation[]> {
    const found: Observation[] = [];
    try {
      const handle = await open(this.file);
      try {
        const { size } = await handle.stat();
        if (size < this.#at) {
          this.ctx.gap(`the audit log ${this.file} was cut or begun anew, so that some of it was not read`);
          this.#at = 0;
          this.#rest = '';
        }
        const piece = Buffer.alloc(pieceBytes);
        while (this.#at < size) {
          const { bytesRead } = await handle.read(piece, 0, Math.min(pieceBytes, size - this.#at), this.#at);
          if (bytesRead === 0) break;
          this.#at += bytesRead;
          const lines = `${this.#rest}${piece.toString('latin1', 0, bytesRead)}`.split('\n');
          this.#rest = lines.pop() ?? '';
          for (const line of lines) found.push(...this.#read(Buffer.from(line, 'latin1').toString('utf8')));
        }
      } finally {
        await handle.close();
      }
    } catch (error) {
      this.ctx.gap(`the audit log ${this.file} could not be read: ${messageOf(error)}`);
    }
    return found;
  }

  #read(line: string): Observation[] {
    if (line.trim() === '') return [];
    let event: AuditEvent;
    try {
      event = JSON.parse(line) as AuditEvent;
    } catch {
      this.ctx.gap(`a line of the audit log ${this.file} is no JSON`);
      return [];
    }
    const { stage, verb = '', requestURI = '', objectRef, responseStatus, userAgent = '', requestReceivedTimestamp } = event;
    const session = sessions.has(objectRef?.subresource ?? '');
    // A session's answer begins when it does; anything else is told once, when it is done.
    const isMeant = session ? stage === 'ResponseStarted' || stage === 'ResponseComplete' : stage === 'ResponseComplete' && writes.has(verb);
    if (!isMeant || objectRef === undefined || !this.#isInside(objectRef)) return [];
    if ((responseStatus?.code ?? 0) >= 400 || /[?&]dryRun=All/.test(requestURI)) return [];
    const { resource = '', apiGroup = '', namespace, name, subresource } = objectRef;
    const user = event.impersonatedUser?.username === undefined ? event.user?.username : `${event.user?.username ?? '?'} as ${event.impersonatedUser.username}`;
    const manager = /[?&]fieldManager=([^&]*)/.exec(requestURI)?.[1];
    const object = planned({ kind: apiGroup === '' ? resource : `${resource}.${apiGroup}`, namespace, name });
    this.told.add(object);
    return [
      {
        system: this.place.system,
        object,
        actor: `${user ?? 'unknown'} (${(userAgent.split(' ')[0] ?? '').slice(0, 80)})`,
        change: `${session ? (subresource ?? '') : verb}${!session && subresource !== undefined ? ` ${subresource}` : ''}${manager === undefined ? '' : ` as ${decodeURIComponent(manager)}`}`,
        ...(requestReceivedTimestamp === undefined ? {} : { at: requestReceivedTimestamp }),
        proof: userAgent.startsWith(`muster/${this.ctx.runId}`) ? 'ours' : 'another',
        scope: this.place.scope,
      },
    ];
  }

  #isInside({ resource = '', namespace, name = '' }: NonNullable<AuditEvent['objectRef']>): boolean {
    if (ignored.has(resource)) return false;
    return namespace === undefined || namespace === '' ? this.place.isNamed(resource, name) : this.place.namespaces.includes(namespace);
  }
}

/** Records of what happened elsewhere, and reviews that change nothing. */
export const ignored = new Set(['events', 'tokenreviews', 'subjectaccessreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'localsubjectaccessreviews']);
