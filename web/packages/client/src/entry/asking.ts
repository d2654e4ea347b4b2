// Asks the first entry, which answers nearly always. Where it does not, the other sources are asked in their
// order; their part of the client is loaded then.

import { judge, type EntryAnswer, type EntryRefusal, type Verdict } from './answer.ts';
import type { Host } from '../host.ts';

/** Longest wait for one entry. */
const TIMEOUT_MS = 5_000;
/** Silence of an entry after which the next one is asked beside it. */
const SILENCE_MS = 1_000;
/** Characters of an answer, at most; a longer one is not of entry. */
const CHARACTERS_MAX = 256 * 1024;

export type Purpose = 'watch' | 'send';

/** `isNew` is false for an answer that is to be used, and not to be kept. */
export type Found = { answer: EntryAnswer; isNew: boolean } | { refusal: EntryRefusal } | null;

/** Asks the sources. Resolves to null when none has an answer: the endpoints of the first entry remain then. */
export async function ask(host: Host, room: string, purpose: Purpose): Promise<Found> {
  const asking = askEntry(host, host.origin, room, purpose);
  const verdict = await withinSilence(host, [asking]);
  if (verdict?.kind === 'refused') return { refusal: verdict.refusal };
  if (verdict?.kind === 'good') return { answer: verdict.answer, isNew: true };
  try {
    const { askAll } = await import('./others.ts');
    return await askAll(host, room, purpose, asking);
  } catch {
    return null;
  }
}

/** Returns the verdict on the answer of one entry; null when it does not answer. */
export async function askEntry(host: Host, origin: string, room: string, purpose: Purpose): Promise<Verdict | null> {
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

/** Returns the first verdict; null when none comes within the silence, or when one has failed. */
export async function withinSilence(host: Host, asked: Iterable<Promise<Verdict | null>>): Promise<Verdict | null> {
  const { failed, done } = host.deadline(SILENCE_MS);
  try {
    return await Promise.race([...asked, failed.catch(() => null)]);
  } finally {
    done();
  }
}
