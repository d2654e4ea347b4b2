// Shows pictures and clips of a room and of its user's letters: the placeholder at once, the picture or cover when the box is near
// the view, one picture large, and a clip where its cover was.

import { type Medium } from '@barrage/client';
import { Addresses, chooseVariant, drawThumbhash, mediaHosts, networkOf, type MediaHosts } from '@barrage/client/media';
import { element, icon } from '@barrage/ui/dom.ts';
import { inLanguage } from '../page/i18n.ts';
import { type PicturePage, type Spot, type When } from './box.ts';
import { t } from './texts.ts';
import { Viewer } from './viewer.ts';

/** Time after which entry is asked again that did not answer. */
const AGAIN_MS = 10_000;
/** Positions of pictures that are remembered for new addresses; the oldest makes room. */
const PLACES_MAX = 500;
/** Messages of the history, and items of a conversation, in which a picture is looked for. */
const PAGE = 50;
const PATH = /^\/v1\/media\/[0-9a-f]{64}\/(?:cover-[0-9a-f]{64}-)?[a-z0-9]{1,16}\?/;

export class Pictures {
  #hosts: MediaHosts = { hosts: [] };
  #asked: Promise<MediaHosts> | null = null;
  #spots = new Map<string, Spot>();
  #labels = new WeakMap<Element, () => string>();
  #addresses = new Addresses((digests) => this.#renewed(digests));
  #viewer = new Viewer((medium, side) => this.#addressOf(medium, side));

  constructor(private readonly page: PicturePage) {
    void this.hosts();
    inLanguage(() => {
      for (const box of document.querySelectorAll('.picture, .picture-removed, .clip-player')) this.#label(box);
    });
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

  /** Returns the address of a picture or cover for a place of this size; null without one, and while the hosts are not known. */
  address(medium: Medium, side: number): string | null {
    const moves = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    // A clip is no picture: of its forms the covers are.
    const variants = medium.variants.filter(({ media_type: type }) => type.startsWith('image/'));
    const path = chooseVariant({ ...medium, variants }, { side, density: devicePixelRatio, moves, saveData: networkOf().saveData })?.url;
    return this.#at(path);
  }

  /** Returns the address of the bytes of a clip, sound or file that can be read now; null for one that is gone. */
  async original(medium: Medium, spot: Spot | null): Promise<string | null> {
    if (spot !== null) this.#remember(medium.digest, spot);
    const [, fresh] = await Promise.all([this.hosts(), this.#addresses.of(medium)]);
    return this.#at(fresh?.variants.find(({ name }) => name === 'original')?.url);
  }

  #at(path: string | undefined): string | null {
    const [host] = this.#hosts.hosts;
    // A path of media alone: a body names no other host.
    return host !== undefined && path !== undefined && PATH.test(path) ? host + path : null;
  }

  /** Fills the box of a picture. */
  fill(box: HTMLElement, medium: Medium | null, name: string, spot: Spot | null, when: When): void {
    const isClip = medium?.kind === 'video';
    const label = (): string => t(medium === null ? 'removed' : isClip ? 'clipOf' : medium.is_public ? 'stickerOf' : 'pictureOf', { name });
    this.#labels.set(box, label);
    this.#label(box);
    if (medium === null) return;
    if (spot !== null) this.#remember(medium.digest, spot);
    if (medium.thumbhash !== undefined && !medium.is_public) box.append(placeholderOf(medium.thumbhash));
    if (isClip) {
      box.append(element('span', 'clip-sign', icon('play')));
      box.addEventListener('click', () => void this.#play(box, medium, name, spot));
    } else {
      box.setAttribute('aria-haspopup', 'dialog');
      box.addEventListener('click', () => void this.#viewer.open(medium, name, box));
    }
    if (when === 'asked' || (isClip && !medium.variants.some(({ media_type: type }) => type.startsWith('image/')))) return;
    const near = new IntersectionObserver((seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      near.disconnect();
      void this.#load(box, medium);
    }, { rootMargin: '400px' });
    near.observe(box);
  }

  /** Plays a clip where its cover was. The reader has asked for it by the press, so that it has its sound. */
  async #play(box: HTMLElement, medium: Medium, name: string, spot: Spot | null): Promise<void> {
    const address = await this.original(medium, spot);
    if (address === null) return box.classList.add('gone');
    const video = element('video', 'clip-player');
    video.controls = true;
    video.preload = 'none';
    video.playsInline = true;
    video.poster = box.querySelector('img')?.src ?? '';
    video.src = address;
    const label = (): string => t('clip', { name });
    this.#labels.set(video, label);
    this.#label(video);
    const frame = element('div', 'clip-playing', video);
    frame.style.cssText = box.style.cssText;
    box.replaceWith(frame);
    video.focus({ preventScroll: true });
    await video.play().catch(() => undefined);
  }

  /** Writes the label of a box in the language of the page. A removed picture is a sentence, which all see. */
  #label(box: Element): void {
    const words = this.#labels.get(box)?.() ?? '';
    if (box.matches('.picture-removed')) box.textContent = words;
    else box.setAttribute('aria-label', words);
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

  /** Reads the messages of pictures again, which brings new addresses: those around the newest of each conversation. */
  async #renewed(digests: string[]): Promise<Medium[]> {
    const newest = new Map<string | null, number>();
    for (const digest of digests) {
      const spot = this.#spots.get(digest);
      if (spot) newest.set(spot.conversation, Math.max(spot.position, newest.get(spot.conversation) ?? 0));
    }
    const read = [...newest].map(([conversation, position]) => (conversation === null ? this.#ofRoom(position) : this.#ofLetters(conversation, position)));
    return (await Promise.all(read)).flat();
  }

  async #ofRoom(position: number): Promise<Medium[]> {
    const { messages } = await this.page.room.history({ before: position + 1, limit: PAGE });
    return messages.flatMap(({ body }) => (body.type === 'chat' && body.media ? [body.media] : []));
  }

  async #ofLetters(conversation: string, position: number): Promise<Medium[]> {
    const path = `/v1/conversations/${encodeURIComponent(conversation)}/messages?before=${position + 1}&limit=${PAGE}`;
    const called = await this.page.room.call<{ items: { body?: { media?: Medium | null } }[] }>({ path });
    return called.kind === 'refused' ? [] : called.answer.items.flatMap(({ body }) => body?.media ?? []);
  }

  #remember(digest: string, spot: Spot): void {
    this.#spots.set(digest, spot);
    const [oldest] = this.#spots.keys();
    if (this.#spots.size > PLACES_MAX && oldest !== undefined) this.#spots.delete(oldest);
  }
}

/** Draws a thumbhash. */
export function placeholderOf(thumbhash: string): HTMLCanvasElement {
  const canvas = element('canvas', 'picture-placeholder');
  canvas.setAttribute('aria-hidden', 'true');
  drawThumbhash(canvas, thumbhash);
  return canvas;
}
