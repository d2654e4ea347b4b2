// Danmaku in flight over the scene.

import Danmaku from 'danmaku';
import { cssColor, element } from './dom.ts';
import { type Chat, type Style } from './protocol.ts';

/** A danmaku crosses a wide stage in this time; a narrow one at the least speed, so sooner. */
const CROSSING_SECS = 9;
const SPEED_PX_MIN = 90;
/** Room that one danmaku takes. More at once would cover each other, so the list alone shows them. */
const LANE_PX = 36;
const SHARE_PX = 220;
/** The renderer keeps every comment of a live stream; it is trimmed when this many have flown. */
const FLOWN_MAX = 400;

/** The renderer's own fields that live mode never trims (danmaku 2.0.10, pinned). */
interface Kept {
  comments: unknown[];
  _: { position: number };
}

export class Stage {
  #danmaku: Danmaku;
  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #flying = new Map<number, HTMLElement>();
  #own = 0;

  constructor(private readonly flight: HTMLElement) {
    this.#danmaku = new Danmaku({ container: flight, speed: this.#speed() });
    new ResizeObserver(() => {
      this.#danmaku.speed = this.#speed();
      this.#danmaku.resize();
    }).observe(flight);
  }

  get #capacity(): number {
    const lanes = Math.max(3, Math.floor(this.flight.clientHeight / LANE_PX));
    return lanes * Math.max(2, Math.floor(this.flight.clientWidth / SHARE_PX));
  }

  #speed(): number {
    return Math.max(this.flight.clientWidth / CROSSING_SECS, SPEED_PX_MIN);
  }

  /** Shows one danmaku. Over capacity it is left to the list, unless it is the viewer's own. */
  fly(chat: Chat, sequence: number | null, origin: 'own' | 'other'): void {
    if (document.hidden || !this.visible) return;
    if (origin === 'other' && this.#flying.size >= this.#capacity) return;
    this.#trim();
    const key = sequence ?? (this.#own -= 1);
    const node = danmakuNode(chat.text, chat.style, origin);
    this.#flying.set(key, node);
    setTimeout(() => this.#flying.delete(key), (this.flight.clientWidth / this.#speed()) * 1000);
    this.#danmaku.emit({ mode: this.#mode(chat.style), render: () => node });
  }

  /** A moderator took it back. */
  recall(sequence: number): void {
    const node = this.#flying.get(sequence);
    if (node) node.textContent = '';
  }

  visible = true;

  show(visible: boolean): void {
    this.visible = visible;
    this.flight.hidden = !visible;
    if (!visible) {
      this.#danmaku.clear();
      this.#flying.clear();
    }
  }

  #mode(style: Style): 'rtl' | 'top' | 'bottom' {
    if (style.mode !== 'scroll') return style.mode;
    return this.#still.matches ? 'top' : 'rtl';
  }

  #trim(): void {
    const kept = this.#danmaku as unknown as Kept;
    if (kept._.position > FLOWN_MAX) {
      kept.comments.splice(0, kept._.position);
      kept._.position = 0;
    }
  }
}

function danmakuNode(text: string, style: Style, origin: 'own' | 'other'): HTMLElement {
  const node = element('span', `danmaku ${style.size} ${origin}`, text);
  node.style.color = cssColor(style.color);
  if (luminance(style.color) < 0.25) node.classList.add('dark');
  return node;
}

/** 0 (black) to 1: dark letters get a light outline. */
function luminance(rgb: number): number {
  return (0.2126 * (rgb >> 16) + 0.7152 * ((rgb >> 8) & 255) + 0.0722 * (rgb & 255)) / 255;
}
