import type { Span } from './time.js';
import type { Facts } from './facts.js';

/** What people did in one step: waiting from `human.asked` to `human.began`, working from there to `human.done`. */
export interface People {
  readonly waiting: readonly Span[];
  readonly working: readonly Span[];
  readonly answered: boolean;
  /** Asked, and never answered; or answered with "nobody did it". */
  readonly unanswered: boolean;
}

interface Open {
  asked: bigint | null;
  began: bigint | null;
  waiting: Span[];
  working: Span[];
  answered: boolean;
  pending: boolean;
  refused: boolean;
}

/** By step id. A question that nobody began counts as waiting until it is done with. */
export function peopleByStep(facts: Facts): ReadonlyMap<string, People> {
  const found = new Map<string, Open>();
  const lines = [...facts.of('human.asked'), ...facts.of('human.began'), ...facts.of('human.done')].sort((a, b) => a.index - b.index);
  for (const line of lines) {
    const event = line.event;
    const at = facts.instant(line, event.data.instant)?.position ?? null;
    const id = event.step ?? '';
    const open: Open = found.get(id) ?? { asked: null, began: null, waiting: [], working: [], answered: false, pending: false, refused: false };
    found.set(id, open);
    if (event.type === 'human.asked') Object.assign(open, { asked: at, began: null, pending: true });
    else if (event.type === 'human.began') {
      if (open.asked !== null && at !== null) open.waiting.push({ start: open.asked, end: at });
      open.began = at;
    } else {
      if (open.began !== null && at !== null) open.working.push({ start: open.began, end: at });
      else if (open.asked !== null && at !== null) open.waiting.push({ start: open.asked, end: at });
      if (event.data.answered && open.pending) open.answered = true;
      else open.refused = true;
      Object.assign(open, { asked: null, began: null, pending: false });
    }
  }
  return new Map([...found].map(([id, open]) => [id, { waiting: open.waiting, working: open.working, answered: open.answered && !open.pending, unanswered: open.pending || (open.refused && !open.answered) }]));
}

/** The sum of spans that may not overlap; negative ones (an impossible order) count as nothing. */
export function total(spans: readonly Span[]): bigint {
  return spans.reduce((sum, span) => (span.end > span.start ? sum + span.end - span.start : sum), 0n);
}
