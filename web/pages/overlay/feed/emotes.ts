// Emotes: words of a text that the overlay shows as images. The server names their places as ranges in UTF-16
// code units; nothing parses markup. Addresses are checked again here: https, or the server's own host.

import { type EmoteRange } from '@barrage/client';
import { type Piece } from '@barrage/stage';
import { element } from '@barrage/ui/dom.ts';
import { uploadedUrl } from '@barrage/ui/emote_sets.ts';

/** Emotes of both sets that are read; the server allows 11,000. */
const EMOTES_MAX = 11_000;

interface Emote {
  name: string;
  src: string;
}

/** Returns the address of an image of at least this height, or null for one that a page must not load. */
export function imageUrl(url: unknown, px: unknown, wantedPx: number): string | null {
  if (typeof url !== 'string' || !Array.isArray(px)) return null;
  const heights = px.filter((one): one is number => Number.isInteger(one) && one > 0);
  const height = heights.find((one) => one >= wantedPx) ?? heights.at(-1);
  if (height === undefined || /^[/\\]{2}/u.test(url)) return null;
  const filled = url.replaceAll('{px}', String(height));
  if (filled.startsWith('/')) return filled.startsWith('/\\') ? null : filled;
  const parsed = URL.canParse(filled) ? new URL(filled) : null;
  return parsed?.protocol === 'https:' ? parsed.href : null;
}

export class Emotes {
  #byId = new Map<string, Emote>();

  constructor(private readonly heightPx: number) {}

  /** Takes the emotes of the platform and of the room. What has no address that a page may load is left out. `host` is that of uploaded pictures. */
  take(emotes: readonly unknown[], host: string | null = null): void {
    for (const emote of emotes.slice(0, EMOTES_MAX)) {
      const { id, name, url, px, media } = (emote ?? {}) as Record<string, unknown>;
      const wantedPx = this.heightPx * Math.min(globalThis.devicePixelRatio || 1, 4);
      const src = media === undefined ? imageUrl(url, px, wantedPx) : uploadedUrl({ url: String(url) }, host);
      if (typeof id === 'string' && typeof name === 'string' && src !== null) this.#byId.set(id, { name, src });
    }
  }

  /** Returns a text in pieces for the list: strings, and an image for each range whose emote is known. */
  pieces = (text: string, ranges: readonly EmoteRange[]): (string | Node)[] =>
    this.#split(text, ranges).map((piece) => (typeof piece === 'string' ? piece : imageOf(piece)));

  /** Returns the same pieces in the form of the stage. */
  forStage(text: string, ranges: readonly EmoteRange[]): Piece[] {
    return this.#split(text, ranges).map((piece) => (typeof piece === 'string' ? piece : { emote: piece.name, url: piece.src }));
  }

  #split(text: string, ranges: readonly EmoteRange[]): (string | Emote)[] {
    const pieces: (string | Emote)[] = [];
    let from = 0;
    for (const [start, end, id] of ranges) {
      const emote = this.#byId.get(id);
      // The word must be the emote's: a set may have changed since the message was written.
      if (!emote || start < from || text.slice(start, end) !== emote.name) continue;
      if (start > from) pieces.push(text.slice(from, start));
      pieces.push(emote);
      from = end;
    }
    if (from < text.length) pieces.push(text.slice(from));
    return pieces;
  }
}

function imageOf({ name, src }: Emote): HTMLImageElement {
  const image = element('img', 'emoji emote');
  image.alt = name;
  image.decoding = 'async';
  image.referrerPolicy = 'no-referrer';
  // Without the image its word remains.
  image.addEventListener('error', () => image.replaceWith(name), { once: true });
  image.src = src;
  return image;
}
