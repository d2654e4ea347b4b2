// A picture in a line of the chat: small, in a box of its own size, and a link to the large form. Moderators see it before
// they act on its message.

import { chooseVariant, drawThumbhash, mediaHosts, type Medium } from '@barrage/client/media';
import { element } from '@barrage/ui/dom.ts';
import { t } from '../texts/i18n.ts';

/** Longest sides in CSS pixels: in the line, and behind the link. */
const SMALL_PX = 96;
const LARGE_PX = 1_280;
/** Address of a form; a body names no host. */
const PATH = /^\/v1\/media\/[0-9a-f]{64}\/(?:cover-[0-9a-f]{64}-)?[a-z0-9]{1,16}\?/;

let host: Promise<string | null> = Promise.resolve(null);

/** Asks entry for the media hosts of a room, before its first message. */
export function mediaOf(room: string): void {
  host = mediaHosts([location.origin], room).then(
    ({ hosts }) => hosts[0] ?? null,
    () => null,
  );
}

/** Returns the media host of the room; null where the server takes no media. */
export function mediaHost(): Promise<string | null> {
  return host;
}

/** Creates a picture whose longest side has so many CSS pixels; `null` is one that was removed. */
export function pictureOf(medium: Medium | null, name: string, side = SMALL_PX): HTMLElement {
  if (!Array.isArray(medium?.variants)) return element('span', 'badge', t('pictureGone'));
  const { width = 1, height = 1 } = medium;
  const factor = side / Math.max(width, height, 1);
  const link = element('a', 'picture');
  link.style.width = `${Math.max(16, Math.round(width * factor))}px`;
  link.style.height = `${Math.max(16, Math.round(height * factor))}px`;
  link.setAttribute('aria-label', t(medium.kind === 'video' ? 'clipOf' : 'pictureOf', { name }));
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  if (medium.thumbhash !== undefined) {
    const canvas = element('canvas', '');
    canvas.setAttribute('aria-hidden', 'true');
    drawThumbhash(canvas, medium.thumbhash);
    link.append(canvas);
  }
  void host.then((origin) => {
    const address = (px: number): string | null => {
      // An animation stands still here: twenty of them would hide the words.
      // Behind the link of a clip is the clip itself.
      const isClip = medium.kind === 'video';
      const path = isClip && px === LARGE_PX ? medium.variants.find(({ name: form }) => form === 'original')?.url : chooseVariant(medium, { side: px, density: devicePixelRatio, moves: !isClip && px === LARGE_PX })?.url;
      return origin !== null && path !== undefined && PATH.test(path) ? origin + path : null;
    };
    const [small, large] = [address(side), address(LARGE_PX)];
    if (small === null || large === null) return;
    const image = element('img', '');
    image.alt = '';
    image.loading = 'lazy';
    image.referrerPolicy = 'no-referrer';
    image.src = small;
    link.href = large;
    link.append(image);
  });
  return link;
}
