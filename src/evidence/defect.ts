/** Something wrong with a bundle. */
export interface Defect {
  readonly code: DefectCode;
  readonly file?: string;
  readonly detail: string;
}

export type DefectCode =
  | 'unreadable'
  | 'not-regular'
  | 'missing-file'
  | 'unexpected-file'
  | 'too-large'
  | 'not-utf8'
  | 'archive-form'
  | 'duplicate-entry'
  | 'manifest-form'
  | 'manifest-path'
  | 'manifest-duplicate'
  | 'manifest-missing'
  | 'manifest-extra'
  | 'digest-differs'
  | 'not-canonical'
  | 'not-json'
  | 'schema'
  | 'journal-broken'
  | 'journal-incomplete'
  | 'plan-differs'
  | 'document-differs'
  | 'evidence-differs'
  | 'verdict-differs'
  | 'report-differs'
  | 'tag-differs'
  | 'unsigned'
  | 'signature-form'
  | 'seal-broken'
  | 'wrong-signer'
  | 'statement-differs'
  | 'timestamp-broken'
  | 'approval-broken'
  | 'predecessor-missing'
  | 'predecessor-differs';
