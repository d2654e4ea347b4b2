// Emotes: words of a text that the page shows as images. The server names their places as ranges in
// UTF-16 code units, as JavaScript counts; the page parses no markup. Images come from addresses that
// the server has checked, and this page checks again: https, or the page's own host.

import { type EmoteRange, type Room } from '@barrage/client';
import { element } from '@barrage/ui/dom.ts';
import { readSets, type SetEmote, uploadedUrl } from '@barrage/ui/emote_sets.ts';
import { badgeImages } from '../log/badges.ts';
import { loadPictures } from '../media/box.ts';
import { safeImage } from '../page/images.ts';

/** Height of an image in the list, in CSS pixels; the smallest image of at least this height is taken. */
const SHOWN_PX = 28;

export interface Emote {
  name: string;
  src: string;
}

/** Words of texts, and pictures that are sent alone, by their ids. */
const byId = new Map<string, Emote>();
const stickers = new Map<string, Emote>();

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
  const sets = await readSets(room);
  if (sets === null) return;
  const isUploaded = sets.some(({ media }) => media !== undefined);
  const hosts = isUploaded ? await loadPictures()?.then((pictures) => pictures.hosts()) : undefined;
  const host = hosts?.hosts[0] ?? null;
  const badges = new Map<string, string>();
  byId.clear();
  stickers.clear();
  for (const one of sets) {
    const src = sourceOf(one, host);
    if (src === null) continue;
    if (one.kind === 'badge') badges.set(one.name, src);
    else (one.kind === 'sticker' ? stickers : byId).set(one.id, { name: one.name, src });
  }
  badgeImages(badges);
}

/** Returns the address of an emote, or null for one that this page must not or cannot load. */
function sourceOf(one: SetEmote, host: string | null): string | null {
  return one.media === undefined ? imageUrl(one.url, one.px) : uploadedUrl(one, host);
}

/** Returns the known emotes, those of the room last. */
export function knownEmotes(): Emote[] {
  return [...byId.values()];
}

/** Returns an emote or a sticker by its id; undefined for one that is not loaded. */
export function emoteOf(id: string): Emote | undefined {
  return stickers.get(id) ?? byId.get(id);
}

/** Returns the known emotes with their ids, those of the room last. */
export function emotesById(): [string, Emote][] {
  return [...byId];
}

/** Returns the stickers with their ids, those of the room last. */
export function stickersById(): [string, Emote][] {
  return [...stickers];
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
