// The length of a text as the server counts it: letters as a reader sees them, after white space is
// folded. The server has the last word; its refusal names its limit.

/** `uplink.text_chars_max` by default. */
export const LENGTH_MAX = 200;

const segmenter = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : null;

export function lengthOf(text: string): number {
  const folded = text.normalize('NFC').replace(/\s+/gu, ' ').trim();
  if (!segmenter) return [...folded].length;
  let length = 0;
  for (const _ of segmenter.segment(folded)) length += 1;
  return length;
}

/** The limit that a refusal of a text names, or null: it was refused for something else. */
export function limitIn(message: string): number | null {
  const found = /it may have (\d+) characters/.exec(message);
  return found ? Number(found[1]) : null;
}
