import { Check } from 'typebox/schema';
import { canonicalJson } from '../engine/canonical.js';
import { PlanApprovalSchema, ReviewSchema, type Review } from './approval-document.js';

/** What a signed file in sig/ says; `other`: somebody else's form, of which only the signature is judged. */
export type SignOff =
  | { readonly kind: 'approval'; readonly plan: string; readonly who: string }
  | { readonly kind: 'review'; readonly review: Review }
  | { readonly kind: 'other' };

/** Throws Error when it says that it is of one of our forms, and is not. */
export function signOffOf(value: unknown): SignOff {
  const schema = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined;
  if (schema === 'muster/approval/v1') {
    if (!Check(PlanApprovalSchema, value)) throw new Error('it is no approval as schemas/approval.schema.json has it');
    return { kind: 'approval', plan: value.plan, who: value.approver };
  }
  if (schema === 'muster/review/v1') {
    if (!Check(ReviewSchema, value)) throw new Error('it is no review as schemas/approval.schema.json has it');
    return { kind: 'review', review: value };
  }
  return { kind: 'other' };
}

/** Its text, as it is signed. */
export function reviewText(review: Review): string {
  return `${canonicalJson(review)}\n`;
}

/** `approval-<who>.review-<UTC>.json`: somebody may review twice, and what was signed once is never replaced. */
export function reviewFile(who: string, at: Date): string {
  const name = who.replaceAll(/[^A-Za-z0-9._@+-]/g, '_').replace(/^[^A-Za-z0-9]/, 'x').slice(0, 70);
  return `approval-${name}.review-${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z.json`;
}
