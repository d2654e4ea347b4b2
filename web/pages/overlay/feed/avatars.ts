// Avatars of authors: a circle with the first letter, and over it the picture of the media host.

import { avatarPath } from '@barrage/ui/avatar.ts';
import { element } from '@barrage/ui/dom.ts';

export class Avatars {
  #host: Promise<string | null> | null = null;

  /** `ask` returns the media host; it is called with the first avatar. */
  constructor(private readonly ask: () => Promise<string | null>) {}

  /** Returns a circle for an author who has an avatar; null for any other. */
  of = (name: string, avatar: string | undefined): HTMLElement | null => {
    const path = avatarPath(avatar);
    if (path === null) return null;
    const circle = document.createElement('yt-img-shadow');
    circle.id = 'author-photo';
    circle.className = 'author-photo';
    circle.textContent = [...name][0]?.toUpperCase() ?? '?';
    circle.setAttribute('aria-hidden', 'true');
    this.#host ??= this.ask();
    void this.#host.then((host) => host !== null && circle.append(imageOf(host + path)));
    return circle;
  };
}

function imageOf(src: string): HTMLImageElement {
  const image = element('img', '');
  image.alt = '';
  image.decoding = 'async';
  image.referrerPolicy = 'no-referrer';
  // Without the picture the letter remains.
  image.addEventListener('error', () => image.remove(), { once: true });
  image.src = src;
  return image;
}
