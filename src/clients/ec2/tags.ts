/** What all that a run makes bears, with the run's id. */
export const runTag = 'muster-run';
