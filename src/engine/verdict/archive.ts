import type { Facts } from './facts.js';
import { names, type Finding } from './reasons.js';

/** archive-contaminated: the drill left something in the source's archive; evidence-missing where nobody can tell. */
export function archiveFindings(facts: Facts): Finding[] {
  const found: Finding[] = [];
  const records = facts.evidence('archive');
  for (const repository of new Set(records.map(({ data }) => data.repository))) {
    const own = records.filter(({ data }) => data.repository === repository);
    const before = own.find(({ data }) => data.when === 'before');
    const afters = own.filter(({ data, index }) => data.when === 'after' && index > (before?.index ?? Infinity));
    if (!before || afters.length === 0) {
      found.push({ code: 'evidence-missing', detail: `${repository}: its listing was not taken both before and after the restore` });
      continue;
    }
    const known = own.flatMap(({ data }) => (data.when === 'before' && data.sourceTimeline !== null ? [data.sourceTimeline] : []));
    const source = known.length > 0 ? known.reduce((max, timeline) => Math.max(max, timeline)) : null;
    for (const { data, step } of afters) {
      const place = step === undefined ? {} : { step };
      const contaminated = (detail: string) => found.push({ code: 'archive-contaminated', ...place, detail: `${repository}: ${detail}` });
      if (data.removed && data.removed.length > 0) contaminated(`removed: ${names(data.removed)}`);
      if (data.changed && data.changed.length > 0) contaminated(`changed: ${names(data.changed)}`);
      const unchanged = data.digest === before.data.digest && data.files === before.data.files;
      if (!unchanged && (!data.added || !data.removed || !data.changed)) {
        found.push({ code: 'evidence-missing', ...place, detail: `${repository}: its listing changed and nothing says how` });
        continue;
      }
      const dated = (data.added ?? []).filter(({ timeline }) => timeline !== null);
      if (source === null && dated.length > 0) found.push({ code: 'evidence-missing', ...place, detail: `${repository}: nothing says which timeline is the source's` });
      const foreign = dated.filter(({ timeline }) => source !== null && timeline !== null && timeline > source).map(({ name }) => name);
      if (foreign.length > 0) contaminated(`files of a timeline above the source's ${source}: ${names(foreign)}`);
    }
  }
  return found;
}
