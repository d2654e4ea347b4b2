// Counts the length of a text as the server does: characters as a reader sees them, after white space
// is folded. A refusal of the server names its own limit.

/** Default of the server for `uplink.text_chars_max`. */
export const LENGTH_MAX = 200;

const segmenter = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : null;

export function lengthOf(text: string): number {
  const folded = text.normalize('NFC').replace(/\s+/gu, ' ').trim();
  if (!segmenter) return [...folded].length;
  let length = 0;
  for (const _ of segmenter.segment(folded)) length += 1;
  return length;
}
