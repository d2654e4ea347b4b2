// Shows pictures of a room: the placeholder at once, the bytes when the box is near the view, and one picture large.

import { type Medium } from '@barrage/client';
import { Addresses, chooseVariant, drawThumbhash, mediaHosts, networkOf, type MediaHosts } from '@barrage/client/media';
import { element } from '@barrage/ui/dom.ts';
import { inLanguage } from '../page/i18n.ts';
import { type PicturePlace } from './box.ts';
import { t } from './texts.ts';
import { Viewer } from './viewer.ts';

/** Time after which entry is asked again that did not answer. */
const AGAIN_MS = 10_000;
/** Positions of pictures that are remembered for new addresses; the oldest makes room. */
const PLACES_MAX = 500;
/** Messages of the history in which a picture is looked for. */
const PAGE = 60;
const PATH = /^\/v1\/media\/[0-9a-f]{64}\/[a-z0-9]{1,16}\?/;

export class Pictures {
  #hosts: MediaHosts = { hosts: [] };
  #asked: Promise<MediaHosts> | null = null;
  #places = new Map<string, number>();
  #addresses = new Addresses((digests) => this.#renewed(digests));
  #viewer = new Viewer((medium, side) => this.#addressOf(medium, side));

  constructor(private readonly page: PicturePlace) {
    void this.hosts();
  }

  /** Asks entry for the media hosts, once. */
  hosts(): Promise<MediaHosts> {
    this.#asked ??= mediaHosts(this.page.entries, this.page.roomId).then(
      (hosts) => (this.#hosts = hosts),
      () => {
        setTimeout(() => {
          this.#asked = null;
        }, AGAIN_MS);
        return this.#hosts;
      },
    );
    return this.#asked;
  }

  /** Returns the address of a picture for a place of this size; null while the hosts are not known. */
  address(medium: Medium, side: number): string | null {
    const [host] = this.#hosts.hosts;
    const moves = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    const path = chooseVariant(medium, { side, density: devicePixelRatio, moves, saveData: networkOf().saveData })?.url;
    // A path of media alone: a body names no other host.
    return host !== undefined && path !== undefined && PATH.test(path) ? host + path : null;
  }

  /** Fills the box of a picture. */
  fill(box: HTMLElement, medium: Medium | null, name: string, sequence: number | null): void {
    inLanguage(() => box.setAttribute('aria-label', t(medium === null ? 'removed' : medium.is_public ? 'stickerOf' : 'pictureOf', { name })));
    if (medium === null) return box.classList.add('gone');
    if (sequence !== null) this.#remember(medium.digest, sequence);
    if (medium.thumbhash !== undefined && !medium.is_public) box.append(placeholderOf(medium.thumbhash));
    box.setAttribute('aria-haspopup', 'dialog');
    box.addEventListener('click', () => void this.#viewer.open(medium, name, box));
    const near = new IntersectionObserver((seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      near.disconnect();
      void this.#load(box, medium);
    }, { rootMargin: '400px' });
    near.observe(box);
  }

  async #load(box: HTMLElement, medium: Medium): Promise<void> {
    const { width, height } = box.getBoundingClientRect();
    const address = await this.#addressOf(medium, Math.max(width, height));
    if (address === null) return box.classList.add('gone');
    const image = element('img', 'picture-image');
    image.alt = '';
    image.decoding = 'async';
    image.referrerPolicy = 'no-referrer';
    image.addEventListener('load', () => box.classList.add('there'));
    image.addEventListener('error', () => box.classList.add('gone'));
    image.src = address;
    box.append(image);
  }

  /** Returns an address that can be read now; null for a picture that is gone. */
  async #addressOf(medium: Medium, side: number): Promise<string | null> {
    const [, fresh] = await Promise.all([this.hosts(), this.#addresses.of(medium)]);
    return fresh && this.address(fresh, side);
  }

  /** Reads the messages of pictures again, which brings new addresses: those around the newest of them. */
  async #renewed(digests: string[]): Promise<Medium[]> {
    const newest = Math.max(...digests.map((digest) => this.#places.get(digest) ?? 0));
    if (!(newest > 0)) return [];
    const { messages } = await this.page.room.history({ before: newest + 1, limit: PAGE });
    return messages.flatMap(({ body }) => (body.type === 'chat' && body.media ? [body.media] : []));
  }

  #remember(digest: string, sequence: number): void {
    this.#places.set(digest, sequence);
    const [oldest] = this.#places.keys();
    if (this.#places.size > PLACES_MAX && oldest !== undefined) this.#places.delete(oldest);
  }
}

/** Draws a thumbhash. */
export function placeholderOf(thumbhash: string): HTMLCanvasElement {
  const canvas = element('canvas', 'picture-placeholder');
  canvas.setAttribute('aria-hidden', 'true');
  drawThumbhash(canvas, thumbhash);
  return canvas;
}
