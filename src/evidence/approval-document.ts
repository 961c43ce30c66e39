import { Type, type Static } from 'typebox';
import { literals, strict } from '../engine/schema.js';

const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** What is signed before a run: that this plan may be run. `approver`: as they gave it; who it really was says the key. */
export const PlanApprovalSchema = Type.Object(
  {
    schema: Type.Literal('muster/approval/v1'),
    plan: Type.String({ description: "Digest of the plan's binding" }),
    runbook: Type.String(),
    environment: Type.String(),
    approver: Type.String(),
    at: Type.String(),
  },
  strict,
);

/** What is signed after a drill: that somebody has read its bundle, and what they concluded. */
export const ReviewSchema = Type.Object(
  {
    schema: Type.Literal('muster/review/v1'),
    bundle: Digest,
    run: Type.String(),
    verdict: Type.String({ description: 'Of the drill, as the reviewer saw it' }),
    reviewer: Type.String(),
    conclusion: literals(['accepted', 'rejected']),
    comment: Type.String(),
    at: Type.String(),
  },
  strict,
);

/** sig/approval-<who>.json in a bundle is one of the two. */
export const ApprovalSchema = Type.Union([PlanApprovalSchema, ReviewSchema], { title: 'Muster approval or review sign-off: sig/approval-<who>.json' });

export type PlanApproval = Static<typeof PlanApprovalSchema>;
export type Review = Static<typeof ReviewSchema>;
