// Emotes: words of a text that the page shows as images. The server names their places as ranges in
// UTF-16 code units, as JavaScript counts; the page parses no markup. Images come from addresses that
// the server has checked, and this page checks again: https, or the page's own host.

import { type EmoteRange, type Room } from '@barrage/client';
import { safeImage } from '../page/images.ts';
import { element } from '@barrage/ui/dom.ts';

/** Height of an image in the list, in CSS pixels; the smallest image of at least this height is taken. */
const SHOWN_PX = 28;

export interface Emote {
  name: string;
  src: string;
}

const byId = new Map<string, Emote>();

/** Returns the address of an image, or null for one that a page must not load. */
export function imageUrl(url: unknown, px: unknown): string | null {
  if (typeof url !== 'string' || !Array.isArray(px)) return null;
  const heights = px.filter((one): one is number => Number.isInteger(one) && one > 0);
  const wanted = SHOWN_PX * Math.min(devicePixelRatio || 1, 4);
  const height = heights.find((one) => one >= wanted) ?? heights.at(-1);
  return height === undefined ? null : safeImage(url.replaceAll('{px}', String(height)));
}

/** Loads the emotes of the platform, and of the room, which go first. Keeps the known ones where none answers. */
export async function loadEmotes(room: Room): Promise<void> {
  for (const { id, name, url, px } of await room.emotes()) {
    const src = imageUrl(url, px);
    if (src !== null) byId.set(id, { name, src });
  }
}

/** Returns the known emotes, those of the room last. */
export function knownEmotes(): Emote[] {
  return [...byId.values()];
}

/** Returns an emote by its id; undefined for one that is not loaded. */
export function emoteOf(id: string): Emote | undefined {
  return byId.get(id);
}

/** Returns the known emotes with their ids, those of the room last. */
export function emotesById(): [string, Emote][] {
  return [...byId];
}

/** Returns a text in pieces: strings, and an image for each range whose emote the page knows. */
export function piecesOf(text: string, ranges: readonly EmoteRange[]): (string | HTMLImageElement)[] {
  const pieces: (string | HTMLImageElement)[] = [];
  let from = 0;
  for (const [start, end, id] of ranges) {
    const emote = byId.get(id);
    // The word must be the emote's: a set may have changed since the message was written.
    if (!emote || start < from || text.slice(start, end) !== emote.name) continue;
    if (start > from) pieces.push(text.slice(from, start));
    pieces.push(imageOf(emote));
    from = end;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}

export function imageOf({ name, src }: Emote): HTMLImageElement {
  const image = element('img', 'emote');
  image.alt = name;
  image.title = name;
  image.decoding = 'async';
  image.referrerPolicy = 'no-referrer';
  // Without the image its word remains.
  image.addEventListener('error', () => image.replaceWith(name), { once: true });
  image.src = src;
  return image;
}
