// Asks the sources of endpoints in their order. A source that is silent does not delay the next one,
// and the stored answer is used only when every entry has failed.

import { type Host } from '../host.ts';
import { forRoom, keepAnswer, recallAnswer } from './kept.ts';
import { judge, sources, type EntryAnswer, type EntryRefusal, type Verdict } from './sources.ts';

/** Longest wait for one entry. */
const TIMEOUT_MS = 5_000;
/** Silence of an entry after which the next one is asked beside it. */
const SILENCE_MS = 1_000;
/** Characters of an answer, at most; a longer one is not of entry. */
const CHARACTERS_MAX = 256 * 1024;

export type Purpose = 'watch' | 'send';

export type Found = { answer: EntryAnswer } | { refusal: EntryRefusal } | null;

/**
 * Asks the entries, then takes the stored answer. Resolves to null when no source has an answer: the
 * endpoints of the first entry remain then.
 */
export async function ask(host: Host, room: string, purpose: Purpose): Promise<Found> {
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
      start(host, running, next.url, room, purpose);
    } else if (running.size === 0) {
      if (next?.kind === 'stored' && kept) return { answer: forRoom(kept.answer, room) };
      return spare && { answer: spare };
    }
    const silence = rest[0]?.kind === 'entry' ? [after(SILENCE_MS)] : [];
    const verdict = await Promise.race([...running, ...silence]);
    if (verdict?.kind === 'refused') return { refusal: verdict.refusal };
    if (verdict?.kind === 'too_old') spare = verdict.answer;
    if (verdict?.kind !== 'good') continue;
    keepAnswer(host, verdict.answer, room, Date.now());
    return { answer: verdict.answer };
  }
}

function start(host: Host, running: Set<Promise<Verdict | null>>, url: string, room: string, purpose: Purpose): void {
  const asking = askEntry(host, url, room, purpose).finally(() => running.delete(asking));
  running.add(asking);
}

/** Returns the verdict on the answer of one entry; null when it does not answer. */
async function askEntry(host: Host, origin: string, room: string, purpose: Purpose): Promise<Verdict | null> {
  const url = `${origin}/v1/entry?room=${encodeURIComponent(room)}&purpose=${purpose}`;
  try {
    const verdict = await host.ask(url, { cache: 'no-store' }, TIMEOUT_MS, async (answer) => {
      const body = await answer.text();
      return judge(answer.status, body.slice(0, CHARACTERS_MAX), purpose, Date.now());
    });
    // The first entry may be a gateway and an uplink too, and needs not name itself.
    return verdict.kind === 'no_endpoint' && origin === host.origin ? { ...verdict, kind: 'good' } : verdict;
  } catch {
    return null;
  }
}

function after(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms));
}
