// The box to send from: text with its style, gifts, likes, and refusals said kindly.

import { byId, cssColor, element, icon } from './dom.ts';
import { OFFERS, type Offer } from './gifts.ts';
import { count, inLanguage, isKey, t, type Key } from './i18n.ts';
import { type Mode, type Post, type Refusal, type Size, type Style } from './protocol.ts';
import { messageId, type Sender } from './sender.ts';

const MODES: readonly Mode[] = ['scroll', 'top', 'bottom'];
const SIZES: readonly Size[] = ['small', 'normal', 'large'];
const COLORS: readonly number[] = [0xffffff, 0xffd166, 0xff8fa3, 0x7ee0b5, 0x7ab8ff, 0xc9a2ff];
/** Clicks of the heart travel together. */
const LIKE_WINDOW_MS = 500;
const LIKES_MAX = 1_000;
/** The same gift again within this is a combo. */
const COMBO_MS = 4_000;
const SUPER_CHAT_MINOR = 3_000;
const SUPER_CHAT_CURRENCY = 'CNY';
const HINT_MS = 5_000;

export interface ComposerEvents {
  /** Over the room's display quota: the sender alone sees it. */
  held(post: Post): void;
  liked(): void;
}

export class Composer {
  #form = byId<HTMLFormElement>('composer');
  #text = byId<HTMLInputElement>('text');
  #send = byId<HTMLButtonElement>('send');
  #hint = byId('hint');
  #likes = 0;
  #likesTotal = 0;
  #combo: { key: Key; count: number; at: number } | null = null;
  #sending = false;
  /** Why sending has to wait, and until when. */
  #wait: { key: Key; untilMs: number } | null = null;
  #hintTimer: number | undefined;

  constructor(
    private readonly sender: Sender,
    private readonly events: ComposerEvents,
  ) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#chat();
    });
    this.#stylePanel();
    this.#offers();
    byId('like').addEventListener('click', () => this.#like());
    inLanguage(() => this.#write());
    setInterval(() => {
      if (this.#wait) this.#write();
    }, 250);
  }

  show(visible: boolean): void {
    this.#form.hidden = !visible;
    byId('watching').hidden = visible;
  }

  /** Likes of the whole room since this page was opened. */
  likes(more: number): void {
    this.#likesTotal += more;
    byId('likes').textContent = count(this.#likesTotal);
  }

  /** A rule that names its end, from a signal. */
  waitUntil(key: Key, untilMs: number): void {
    this.#wait = { key, untilMs };
    this.#write();
  }

  hint(words: string): void {
    this.#hint.textContent = words;
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => {
      this.#hint.textContent = '';
    }, HINT_MS);
  }

  async #chat(): Promise<void> {
    const text = this.#text.value.trim();
    if (text === '' || this.#wait || this.#sending) return;
    await this.#post({ type: 'chat', id: messageId(), text, style: this.#style() }, 'text');
  }

  async #gift(offer: Offer): Promise<void> {
    const now = performance.now();
    const again = this.#combo !== null && this.#combo.key === offer.key && now - this.#combo.at < COMBO_MS;
    this.#combo = { key: offer.key, count: again && this.#combo ? this.#combo.count + 1 : 1, at: now };
    const gift = { name: t(offer.key), count: 1, price_minor: offer.priceMinor, combo: this.#combo.count };
    await this.#post({ type: 'gift', id: messageId(), gift }, 'button');
  }

  async #superChat(): Promise<void> {
    const text = this.#text.value.trim();
    if (this.#sending) return;
    if (text === '') {
      this.hint(t('superChatNeedsText'));
      this.#text.focus();
      return;
    }
    const price = { amount_minor: SUPER_CHAT_MINOR, currency: SUPER_CHAT_CURRENCY };
    await this.#post({ type: 'super_chat', id: messageId(), text, ...price }, 'text');
  }

  #like(): void {
    this.events.liked();
    this.#likes = Math.min(this.#likes + 1, LIKES_MAX);
    if (this.#likes > 1) return;
    setTimeout(() => {
      const post: Post = { type: 'like', id: messageId(), count: this.#likes };
      this.#likes = 0;
      void this.#post(post, 'button');
    }, LIKE_WINDOW_MS);
  }

  /** A post made from the text box empties it once it is accepted; a refused one stays there. */
  async #post(post: Post, source: 'text' | 'button'): Promise<void> {
    if (source === 'text') this.#busy(true);
    const sent = await this.sender.post(post);
    if (source === 'text') this.#busy(false);
    if (sent.kind === 'refused') return this.#refused(sent.refusal);
    if (source === 'text') this.#text.value = '';
    if (sent.answer.outcome === 'held') {
      const limit = sent.answer.limit;
      this.hint(
        limit?.offered
          ? t('heldOf', { offered: count(limit.offered), shown: limit.limit })
          : t('held'),
      );
      this.events.held(post);
    }
  }

  #busy(busy: boolean): void {
    this.#sending = busy;
    this.#form.classList.toggle('busy', busy);
  }

  #refused(refusal: Refusal): void {
    const key = `refused_${refusal.code}`;
    this.#hint.dataset['code'] = refusal.code;
    if (refusal.retry_after_ms !== undefined && isKey(key)) {
      this.waitUntil(key, Date.now() + refusal.retry_after_ms);
    } else {
      this.hint(isKey(key) ? t(key) : t('refused_other', { message: refusal.message }));
    }
  }

  #write(): void {
    byId('likes').textContent = count(this.#likesTotal);
    const left = this.#wait ? Math.ceil((this.#wait.untilMs - Date.now()) / 1000) : 0;
    const button = byId('send-text');
    if (this.#wait && left > 0) {
      const key = this.#wait.key;
      clearTimeout(this.#hintTimer);
      // The second hand is on the button; the sentence is written once, for screen readers.
      const words = key === 'mutedUntil' ? t('refused_muted') : t(key);
      if (this.#hint.textContent !== words) this.#hint.textContent = words;
      button.textContent = `${left} s`;
      this.#send.disabled = true;
      return;
    }
    if (this.#wait) {
      this.#wait = null;
      this.#hint.textContent = '';
    }
    button.textContent = t('send');
    this.#send.disabled = false;
  }

  #style(): Style {
    const chosen = new FormData(this.#form);
    return {
      mode: (chosen.get('mode') as Mode | null) ?? 'scroll',
      size: (chosen.get('size') as Size | null) ?? 'normal',
      color: Number(chosen.get('color') ?? 0xffffff),
    };
  }

  #stylePanel(): void {
    for (const mode of MODES) byId('modes').append(radio('mode', mode, mode === 'scroll', mode));
    for (const size of SIZES) byId('sizes').append(radio('size', size, size === 'normal', size));
    for (const color of COLORS) byId('colors').append(radio('color', String(color), color === 0xffffff, null));
    const button = byId<HTMLButtonElement>('style-button');
    const panel = byId('style-panel');
    const open = (visible: boolean): void => {
      panel.hidden = !visible;
      button.setAttribute('aria-expanded', String(visible));
    };
    button.addEventListener('click', () => open(panel.hidden !== false));
    this.#form.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || panel.hidden) return;
      open(false);
      button.focus();
    });
    document.addEventListener('pointerdown', (event) => {
      const target = event.target as Node;
      if (!panel.contains(target) && !button.contains(target)) open(false);
    });
  }

  #offers(): void {
    const tray = byId('gifts');
    for (const offer of OFFERS) {
      const label = element('span', '');
      const button = element('button', `offer ${offer.icon}`, icon(offer.icon), label);
      button.type = 'button';
      button.dataset['offer'] = offer.key;
      button.addEventListener('click', () => void this.#gift(offer));
      inLanguage(() => {
        label.textContent = t(offer.key);
      });
      tray.append(button);
    }
    const label = element('span', '');
    const button = element('button', 'offer super', icon('badge'), label);
    button.type = 'button';
    button.dataset['offer'] = 'super';
    button.addEventListener('click', () => void this.#superChat());
    inLanguage(() => {
      label.textContent = `${t('superChat')} ¥${SUPER_CHAT_MINOR / 100}`;
    });
    tray.append(button);
  }
}

function radio(name: string, value: string, checked: boolean, key: Key | null): HTMLElement {
  const input = element('input', '');
  input.type = 'radio';
  input.name = name;
  input.value = value;
  input.defaultChecked = checked;
  const face = element('span', key ? 'face' : 'face swatch');
  const label = element('label', 'radio', input, face);
  if (key) {
    inLanguage(() => {
      face.textContent = t(key);
    });
  } else {
    face.style.background = cssColor(Number(value));
    input.setAttribute('aria-label', cssColor(Number(value)));
  }
  return label;
}
