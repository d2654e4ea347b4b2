// Badges of senders. The server stamps their names; the page draws an own image for names that it knows,
// and an image of the platform where an attribute of the room, `badge.NAME`, has its address.

import { element, icon } from '@barrage/ui/dom.ts';
import { type Attrs } from '@barrage/client';
import { t } from '../page/i18n.ts';
import { safeImage } from '../page/images.ts';

/** Images of the page itself, by the name of a badge. */
const DRAWN: Record<string, string> = {
  vip: 'gem',
  member: 'crown',
  subscriber: 'crown',
  founder: 'flag',
  verified: 'check',
  supporter: 'heart',
  gifter: 'gift',
  staff: 'shield',
  bot: 'bot',
};
/** Prefix of the attributes of the room with addresses of images. */
const PREFIX = 'badge.';
/** Images of the platform to remember. */
const IMAGES_MAX = 64;

const images = new Map<string, string>();
/** Images of the room's emote set, by the name of a badge. */
let uploaded: ReadonlyMap<string, string> = new Map();

/** Takes the addresses of images out of the attributes of the room. */
export function readBadges(attributes: Readonly<Record<string, { text: string }>>): void {
  images.clear();
  for (const [key, { text }] of Object.entries(attributes)) {
    const src = key.startsWith(PREFIX) ? safeImage(text) : null;
    if (src !== null && images.size < IMAGES_MAX) images.set(key.slice(PREFIX.length), src);
  }
}

/** Takes the images of the emote sets. Attributes of the room go first. */
export function badgeImages(found: ReadonlyMap<string, string>): void {
  uploaded = found;
}

/** Creates an image or a label for each badge, and a label for the level. */
export function badgesOf(attrs: Attrs | undefined): (Node | string)[] {
  const made = (attrs?.badges ?? []).map(badgeOf);
  if (attrs?.level !== undefined) made.push(levelOf(attrs.level));
  return made.flatMap((badge) => [badge, ' ']);
}

function badgeOf(badge: string): HTMLElement {
  const [name = '', version] = badge.split('/');
  const words = badge.replace('/', ' ');
  const src = images.get(badge.replace('/', '.')) ?? images.get(name) ?? uploaded.get(badge) ?? uploaded.get(name);
  if (src !== undefined) return imageOf(src, words);
  const drawn = Object.hasOwn(DRAWN, name) ? DRAWN[name] : undefined;
  if (drawn === undefined) return element('span', 'badge', words);
  const made = element('span', `badge drawn ${name}`, icon(drawn), ...(version === undefined ? [] : [version]));
  made.setAttribute('role', 'img');
  made.setAttribute('aria-label', words);
  made.title = words;
  return made;
}

function imageOf(src: string, words: string): HTMLElement {
  const image = element('img', 'badge-image');
  image.alt = words;
  image.title = words;
  image.decoding = 'async';
  image.referrerPolicy = 'no-referrer';
  image.addEventListener('error', () => image.replaceWith(element('span', 'badge', words)), { once: true });
  image.src = src;
  return image;
}

/** A label whose colour grows with the level: one step for each power of two. */
function levelOf(level: number): HTMLElement {
  const label = element('span', 'badge level', `Lv ${level}`);
  label.title = t('level', { level });
  label.style.setProperty('--hue', String(150 + Math.min(10, Math.floor(Math.log2(level + 1))) * 20));
  return label;
}
