// DPlayer with its own danmaku: `backend` is its `apiBackend`, and `dplayer` draws the room's messages.
//
// DPlayer writes texts into the page as markup (item.innerHTML in its danmaku.js). Everything that comes from people
// is therefore escaped here, and colors are numbers that become a color.

import { type Chat, type Room, type Written } from '@barrage/client';
import { ENGLISH, type Sentences } from './danmaku.ts';
import { escapeMarkup, hexColor } from './escape.ts';

/** What the adapter uses of an instance of DPlayer. */
export interface DPlayerLike {
  readonly danmaku?: { draw(danmaku: { text: string; color: string; type: string }): unknown };
  readonly template: { readonly danmaku: HTMLElement };
  on(event: 'destroy', listener: () => void): unknown;
}

interface ReadOptions {
  success(danmaku: readonly unknown[]): void;
}

interface SendOptions {
  data: { text?: unknown; color?: unknown; type?: unknown };
  success(): void;
  error(message?: string): void;
}

/** The value of DPlayer's option `apiBackend`. */
export interface Backend {
  read(options: ReadOptions): void;
  send(options: SendOptions): void;
}

/** What viewers wrote in a player of the room: DPlayer has drawn it by itself. */
const written = new WeakMap<Room, Own[]>();
/** Own messages that are kept; a message comes back within seconds. */
const WRITTEN_MAX = 100;

/** A message of this viewer. It comes back without its id: by its position, or by its text before the answer. */
interface Own {
  readonly text: string;
  sequence?: number;
}

const KINDS: Readonly<Record<string, string>> = { scroll: 'right', top: 'top', bottom: 'bottom' };

/** Returns the back end for `new DPlayer({ apiBackend: backend(room), ... })`: what a viewer sends goes to the room. */
export function backend(room: Room): Backend {
  return {
    // A live room has no list by time. Without an answer DPlayer would say "loading" for ever.
    read: (options) => options.success([]),
    send(options): void {
      const text = String(options.data.text ?? '');
      const own = remember(room, text);
      room.send({ type: 'chat', text, style: styleOf(options.data) }).then(
        (sent) => {
          if (sent.kind === 'broadcast' && sent.sequence !== null) own.sequence = sent.sequence;
          else forget(room, own);
          if (sent.kind === 'refused') options.error(sent.message);
          else options.success();
        },
        () => {
          forget(room, own);
          options.error();
        },
      );
    },
  };
}

/** Draws the room's messages in the player until the returned function is called or the player is destroyed. */
export function dplayer(player: DPlayerLike, room: Room, sentences: Sentences = ENGLISH): () => void {
  const items = new Items(player.template.danmaku);
  const stop = room.on('batch', ({ messages }) => {
    for (const { sequence, body } of messages) {
      if (!body || body.type === 'event') continue;
      if (body.type === 'signal') {
        if (body.signal === 'recall') items.hide((item) => item.sequence === body.sequence);
        if (body.signal === 'purge') items.hide((item) => item.user === body.user);
        if (body.signal === 'clear') items.hide(() => true);
        continue;
      }
      if (body.type === 'chat' && isOwn(room, sequence, body)) continue;
      items.of({ sequence, user: body.user }, () => player.danmaku?.draw(drawn(body, sentences)));
    }
  });
  player.on('destroy', stop);
  return stop;
}

function remember(room: Room, text: string): Own {
  const own: Own = { text };
  written.set(room, [...(written.get(room) ?? []), own].slice(-WRITTEN_MAX));
  return own;
}

function forget(room: Room, own: Own): void {
  written.set(room, (written.get(room) ?? []).filter((one) => one !== own));
}

function isOwn(room: Room, sequence: number, chat: Chat): boolean {
  const isBack = (own: Own): boolean => own.sequence === sequence || (own.sequence === undefined && chat.user === room.user && chat.text === own.text.trim());
  const own = written.get(room)?.find(isBack);
  if (own) forget(room, own);
  return own !== undefined;
}

interface Item {
  sequence: number;
  user: string;
}

/** The elements of what flies. DPlayer removes an element at the end of its animation, and frees its lane then. */
class Items {
  #nodes = new Map<HTMLElement, Item>();

  constructor(private readonly layer: HTMLElement) {}

  /** Draws, and remembers the element that was added. A full stage adds none. */
  of(item: Item, draw: () => unknown): void {
    const before = this.layer.lastElementChild;
    draw();
    const node = this.layer.lastElementChild;
    if (!(node instanceof HTMLElement) || node === before) return;
    this.#nodes.set(node, item);
    node.addEventListener('animationend', () => this.#nodes.delete(node), { once: true });
  }

  /** Empties elements. They stay until their end, because DPlayer would never free the lane of a removed one. */
  hide(isGone: (item: Item) => boolean): void {
    for (const [node, item] of this.#nodes) {
      if (!isGone(item)) continue;
      node.textContent = '';
      node.style.visibility = 'hidden';
      this.#nodes.delete(node);
    }
  }
}

/** Returns the arguments of `draw` for a message. */
export function drawn(body: Written, sentences: Sentences = ENGLISH): { text: string; color: string; type: string } {
  switch (body.type) {
    case 'chat':
      return { text: escapeMarkup(body.text), color: hexColor(body.style.color), type: kindOf(body) };
    case 'gift':
      return { text: escapeMarkup(`${body.name} ${sentences.gave(body.gift.name)} ×${body.gift.count}`), color: '#ffd66e', type: 'right' };
    case 'super_chat':
      return { text: escapeMarkup(body.text), color: '#ffd66e', type: 'top' };
  }
}

function kindOf({ style }: Chat): string {
  return Object.hasOwn(KINDS, style.mode) ? (KINDS[style.mode] ?? 'right') : 'right';
}

/** DPlayer's own numbers and names: type 0 is right, 1 top, 2 bottom; a color is a number or `#rrggbb`. */
function styleOf({ color, type }: SendOptions['data']): Chat['style'] {
  const number = typeof color === 'string' ? Number.parseInt(color.replace('#', ''), 16) : color;
  const isColor = typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 0xffffff;
  const mode = type === 1 || type === 'top' ? 'top' : type === 2 || type === 'bottom' ? 'bottom' : 'scroll';
  return { mode, color: isColor ? number : 0xffffff, size: 'normal' };
}
