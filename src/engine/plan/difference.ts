/** One thing in which two plans differ, as a reviewer would say it. */
export interface PlanDifference {
  /** `objectives`, `boundary`, `step restore`, `connection source`, `input rows`, ... */
  readonly area: string;
  readonly kind: 'added' | 'removed' | 'moved' | 'changed';
  /** Which part of it; empty for the whole. */
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** Why it should stand out: the drill then proves less, touches more, or is checked by fewer people. */
  readonly alarm: string | null;
}
