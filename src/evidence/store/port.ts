/** Until when nobody may remove an object; UTC. `governance`: but for those with a right of their own. */
export interface Lock {
  readonly mode: 'governance' | 'compliance';
  readonly until: string;
}

export interface StoredObject {
  /** Within the store: `registered/<run>.json`. */
  readonly name: string;
  /** For `read`: what was written under this name first, where the store keeps what replaces it. */
  readonly version: string | null;
}

/** A file as content, with what is known of it. `sha256` in hex. */
export interface StoredFile {
  readonly file: string;
  readonly sha256: string;
}

/** A place beside the operator's machine where objects are written once. Everything throws StoreError. */
export interface EvidenceStore {
  /** As a person names it: a folder or `s3://bucket/prefix`. */
  readonly where: string;
  /** What lies in `folder`, hidden or not: whoever may only hide an object must not make it vanish. */
  list(folder: string): Promise<readonly StoredObject[]>;
  /** Text of at most 64 KiB. */
  read(object: StoredObject): Promise<string>;
  /** Never replaces anything. Resolves, once it lasts, to how long it is locked; null when it is not. */
  create(name: string, content: string | StoredFile): Promise<Lock | null>;
}

/** The store cannot be reached, refuses, or has such an object already. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

export const maxText = 64 * 1024;
