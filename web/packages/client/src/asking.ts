// Asks the sources of endpoints in their order. A source that is silent does not delay the next one,
// and the stored answer is used only when every entry has failed.

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
 * Asks this page's origin and the entries of `origins`, then takes the stored answer. Resolves to null
 * when no source has an answer: this page's own endpoints remain then.
 */
export async function ask(room: string, purpose: Purpose, origins: readonly string[]): Promise<Found> {
  const kept = recallAnswer();
  const rest = sources({
    now_ms: Date.now(),
    dials: 'urls',
    here: location.origin,
    entries: [...origins],
    stored: kept && { saved_ms: kept.savedMs, entries: kept.answer.entries ?? [] },
  });
  const running = new Set<Promise<Verdict | null>>();
  let spare: EntryAnswer | null = null;
  for (;;) {
    const next = rest[0];
    if (next?.kind === 'entry') {
      rest.shift();
      start(running, next.url, room, purpose);
    } else if (running.size === 0) {
      if (next?.kind === 'stored' && kept) return { answer: forRoom(kept.answer, room) };
      return spare && { answer: spare };
    }
    const silence = rest[0]?.kind === 'entry' ? [after(SILENCE_MS)] : [];
    const verdict = await Promise.race([...running, ...silence]);
    if (verdict?.kind === 'refused') return { refusal: verdict.refusal };
    if (verdict?.kind === 'too_old') spare = verdict.answer;
    if (verdict?.kind !== 'good') continue;
    keepAnswer(verdict.answer, room, Date.now());
    return { answer: verdict.answer };
  }
}

function start(running: Set<Promise<Verdict | null>>, url: string, room: string, purpose: Purpose): void {
  const asking = askEntry(url, room, purpose).finally(() => running.delete(asking));
  running.add(asking);
}

/** Returns the verdict on the answer of one entry; null when it does not answer. */
async function askEntry(origin: string, room: string, purpose: Purpose): Promise<Verdict | null> {
  const base = origin === location.origin ? '' : origin;
  const url = `${base}/v1/entry?room=${encodeURIComponent(room)}&purpose=${purpose}`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: 'no-store' });
    const body = await answer.text();
    const verdict = judge(answer.status, body.slice(0, CHARACTERS_MAX), purpose, Date.now());
    // This page's origin is a gateway and an uplink too, and needs not name itself.
    return verdict.kind === 'no_endpoint' && base === '' ? { ...verdict, kind: 'good' } : verdict;
  } catch {
    return null;
  }
}

function after(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms));
}

/** Returns the entries that the page's `<meta name="barrage-entry">` lists, separated by spaces. */
export function entryOrigins(): string[] {
  const list = document.querySelector<HTMLMetaElement>('meta[name="barrage-entry"]')?.content ?? '';
  return list.split(/\s+/).filter((url) => url !== '');
}
