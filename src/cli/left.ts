/** Something of a drill that is still there. */
export interface Left {
  readonly system: string;
  readonly object: string;
  /** What removes it. */
  readonly remedy: string;
}
