// Asks the sources of endpoints in their order. A source that is silent does not delay the next one,
// and the stored answer is used only when every entry has failed.

import { askEntry, withinSilence, type Found, type Purpose } from './asking.ts';
import type { EntryAnswer, Verdict } from './answer.ts';
import type { Host } from '../host.ts';
import { forRoom, recallAnswer } from './stored.ts';
import { sources } from './sources.ts';

/** Asks the entries, of which the first is being asked, then takes the stored answer. */
export async function askAll(host: Host, room: string, purpose: Purpose, first: Promise<Verdict | null>): Promise<Found> {
  const kept = recallAnswer(host);
  const rest = sources({
    now_ms: Date.now(),
    dials: 'urls',
    here: host.origin,
    entries: [...host.entries],
    stored: kept && { saved_ms: kept.savedMs, entries: kept.answer.entries ?? [] },
  });
  const running = new Set<Promise<Verdict | null>>();
  let spare: EntryAnswer | null = null;
  for (;;) {
    const next = rest[0];
    if (next?.kind === 'entry') {
      rest.shift();
      const isFirst = next.url === host.origin;
      start(running, isFirst ? first : askEntry(host, next.url, room, purpose));
      // The first entry was silent for long enough, or has failed.
      if (isFirst) continue;
    } else if (running.size === 0) {
      if (next?.kind === 'stored' && kept) return { answer: forRoom(kept.answer, room), isNew: false };
      return spare && { answer: spare, isNew: false };
    }
    const isNext = rest[0]?.kind === 'entry';
    const verdict = await (isNext ? withinSilence(host, running) : Promise.race(running));
    if (verdict?.kind === 'refused') return { refusal: verdict.refusal };
    if (verdict?.kind === 'too_old') spare = verdict.answer;
    if (verdict?.kind !== 'good') continue;
    return { answer: verdict.answer, isNew: true };
  }
}

function start(running: Set<Promise<Verdict | null>>, asked: Promise<Verdict | null>): void {
  const asking = asked.finally(() => running.delete(asking));
  running.add(asking);
}
