export interface ManualQuestion {
  readonly stepId: string;
  readonly instructions: string;
  /** Who may attest; empty: anyone. */
  readonly attesters: readonly string[];
}

export interface ManualAnswer {
  readonly who: string;
  /** What the person states to have done. */
  readonly attestation: string;
}

/** The people at the drill: a terminal, or an answers file prepared beforehand. */
export interface OperatorPort {
  /**
   * Shows the instructions; `began` is called when the person says that work begins. Resolves to undefined when
   * nobody can be asked (no terminal, no prepared answer).
   */
  manual(question: ManualQuestion, began: (who: string) => Promise<void>, signal: AbortSignal): Promise<ManualAnswer | undefined>;
}
