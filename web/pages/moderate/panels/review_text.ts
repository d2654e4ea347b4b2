// The text of a review in pieces: what the rule found stands out. Pure.

export interface Piece {
  text: string;
  found: boolean;
}

/** Cuts a text at each place of `matched`. */
export function pieces(text: string, matched: string): Piece[] {
  if (matched === '') return text === '' ? [] : [{ text, found: false }];
  return text.split(matched).flatMap((part, index) => [...(index > 0 ? [{ text: matched, found: true }] : []), ...(part === '' ? [] : [{ text: part, found: false }])]);
}

/** Who holds the lock of a review: nobody any more after its end. */
export function lockOf(lock: { by: string; until_ms: number } | undefined, own: string | null, nowMs: number): 'free' | 'own' | 'other' {
  if (!lock || lock.until_ms <= nowMs) return 'free';
  return lock.by === own ? 'own' : 'other';
}
