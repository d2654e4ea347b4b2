// Avatars: a circle with the first letter of a name, and over it the picture that the user chose, where there is one.

import { element } from '@barrage/ui/dom.ts';
import { avatarPath } from '@barrage/ui/avatar.ts';
import { loadPictures } from './box.ts';

/** Creates a circle with the first letter of a name, in a colour of this hue. A picture that cannot be read leaves the letter. */
export function circleOf(className: string, name: string, hue: number, avatar: string | undefined): HTMLElement {
  const circle = element('span', `${className} avatar`, [...name][0]?.toUpperCase() ?? '?');
  circle.setAttribute('aria-hidden', 'true');
  circle.style.setProperty('--hue', String(hue));
  const path = avatarPath(avatar);
  if (path !== null) void fill(circle, path);
  return circle;
}

async function fill(circle: HTMLElement, path: string): Promise<void> {
  const { hosts } = (await loadPictures()?.then((pictures) => pictures.hosts()).catch(() => null)) ?? {};
  const host = hosts?.[0];
  if (host === undefined) return;
  const image = element('img', 'avatar-image');
  image.alt = '';
  image.decoding = 'async';
  image.referrerPolicy = 'no-referrer';
  image.addEventListener('error', () => image.remove(), { once: true });
  image.src = host + path;
  circle.append(image);
}
