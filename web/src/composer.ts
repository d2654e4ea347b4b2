// The box to send from: text with its style, gifts, likes, and refusals said kindly.

import { byId, cssColor, element, icon } from './dom.ts';
import { OFFERS, type Offer } from './gifts.ts';
import { count, inLanguage, isKey, t, type Key } from './i18n.ts';
import { type Mode, type Post, type Refusal, type Size, type Style } from './protocol.ts';
import { messageId, type Sender } from './sender.ts';
import { LENGTH_MAX, lengthOf, limitIn } from './text.ts';

const MODES: readonly Mode[] = ['scroll', 'top', 'bottom'];
const SIZES: readonly Size[] = ['small', 'normal', 'large'];
const COLORS: readonly (readonly [number, Key])[] = [
  [0xffffff, 'white'],
  [0xffd166, 'yellow'],
  [0xff8fa3, 'pink'],
  [0x7ee0b5, 'green'],
  [0x7ab8ff, 'blue'],
  [0xc9a2ff, 'violet'],
];
/** Clicks of the heart travel together. */
const LIKE_WINDOW_MS = 500;
const LIKES_MAX = 1_000;
/** The same gift again within this is a combo. */
const COMBO_MS = 4_000;
const SUPER_CHAT_MINOR = 3_000;
const SUPER_CHAT_CURRENCY = 'CNY';
const HINT_MS = 5_000;
/** From this share of the longest text on the box says how long the text is. */
const LENGTH_SHOWN = 0.9;
/** The server's words for a text that one viewer has sent too often; it limits this text alone. */
const REPEATED = 'the same text';

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
  /** Why sending has to wait, and until when. With `text`, only this text has to. */
  #wait: { key: Key; untilMs: number; text?: string } | null = null;
  #lengthMax = LENGTH_MAX;
  /** The hint stays until sending works again. */
  #hintStays = false;
  #open = false;
  #giftsElsewhere = false;
  #hintTimer: number | undefined;

  constructor(
    private readonly sender: Sender,
    private readonly events: ComposerEvents,
  ) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#chat();
    });
    this.#text.addEventListener('input', () => this.#write());
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

  /** Whether there is a room to send to. */
  enable(open: boolean): void {
    this.#open = open;
    this.#write();
  }

  /** The connection is there: what was said of a network that is away is over. */
  networkIsBack(): void {
    if (!this.#hintStays) return;
    this.#hintStays = false;
    this.#hint.textContent = '';
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

  /** The reason to wait is over before its time. */
  mayAgain(key: Key): void {
    if (this.#wait?.key !== key && this.#wait?.key !== 'refused_muted') return;
    this.#wait = null;
    this.#hint.textContent = '';
    this.#write();
  }

  hint(words: string, stays = false): void {
    this.#hint.textContent = words;
    this.#hintStays = stays;
    clearTimeout(this.#hintTimer);
    if (stays) return;
    this.#hintTimer = setTimeout(() => {
      this.#hint.textContent = '';
    }, HINT_MS);
  }

  async #chat(): Promise<void> {
    const text = this.#text.value.trim();
    if (text === '' || this.#waits() || this.#sending || !this.#open || this.#isTooLong()) return;
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
    if (this.#sending || this.#isTooLong()) return;
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
    if (sent.kind === 'refused') return this.#refused(sent.refusal, post);
    this.networkIsBack();
    if (source === 'text') this.#text.value = '';
    this.#write();
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

  #refused(refusal: Refusal, post: Post): void {
    this.#hint.dataset['code'] = refusal.code;
    const key = `refused_${refusal.code}`;
    const text = 'text' in post ? post.text : undefined;
    const max = refusal.code === 'bad_text' ? limitIn(refusal.message) : null;
    if (refusal.code === 'network') return this.hint(networkWords(refusal.message), true);
    if (refusal.code === 'forbidden' && (post.type === 'gift' || post.type === 'super_chat')) return this.#noGifts();
    if (max !== null) this.#lengthMax = Math.min(this.#lengthMax, max);
    if (max !== null && text !== undefined) return this.hint(t('tooLong', { count: lengthOf(text), max }));
    if (refusal.retry_after_ms !== undefined && isKey(key)) {
      const untilMs = Date.now() + refusal.retry_after_ms;
      const repeated = text !== undefined && refusal.message.startsWith(REPEATED);
      this.#wait = repeated ? { key: 'repeated', untilMs, text } : { key, untilMs };
      this.#write();
    } else {
      this.hint(isKey(key) ? t(key) : t('refused_other', { message: refusal.message }));
    }
  }

  /** The role of this viewer may not give gifts here, and will not with the next click. */
  #noGifts(): void {
    this.#giftsElsewhere = true;
    this.hint(t('giftsElsewhere'));
    this.#write();
  }

  /** Whether the text in the box has to wait. */
  #waits(): boolean {
    if (!this.#wait) return false;
    return this.#wait.text === undefined || this.#wait.text === this.#text.value.trim();
  }

  /** Says so as well. */
  #isTooLong(): boolean {
    const length = lengthOf(this.#text.value);
    if (length <= this.#lengthMax) return false;
    this.hint(t('tooLong', { count: length, max: this.#lengthMax }));
    return true;
  }

  #write(): void {
    byId('likes').textContent = count(this.#likesTotal);
    this.#writeLength();
    for (const button of byId('gifts').querySelectorAll('button')) {
      button.disabled = !this.#open || this.#giftsElsewhere;
      button.title = this.#giftsElsewhere ? t('giftsElsewhere') : '';
    }
    // A tray that scrolls is reached by the keyboard through its buttons, or else by itself.
    const tray = byId('gifts');
    if (this.#open && !this.#giftsElsewhere) tray.removeAttribute('tabindex');
    else tray.tabIndex = 0;
    byId<HTMLButtonElement>('like').disabled = this.#text.disabled = !this.#open;
    const left = this.#wait ? Math.ceil((this.#wait.untilMs - Date.now()) / 1000) : 0;
    if (this.#wait && left <= 0) {
      this.#wait = null;
      this.#hint.textContent = '';
    }
    if (this.#wait && this.#waits()) {
      const key = this.#wait.key;
      clearTimeout(this.#hintTimer);
      // The second hand is on the button; the sentence is written once, for screen readers.
      const words = key === 'mutedUntil' ? t('refused_muted') : t(key);
      if (this.#hint.textContent !== words) this.#hint.textContent = words;
    } else if (this.#wait && this.#hint.textContent === t(this.#wait.key)) {
      // Another text than the one that has to wait.
      this.#hint.textContent = '';
    }
    const words = this.#waits() ? `${left} s` : t('send');
    const button = byId('send-text');
    if (button.textContent !== words) button.textContent = words;
    this.#send.disabled = this.#waits() || !this.#open;
  }

  #writeLength(): void {
    const length = lengthOf(this.#text.value);
    const shown = byId('length');
    shown.hidden = length < this.#lengthMax * LENGTH_SHOWN;
    shown.textContent = `${length}/${this.#lengthMax}`;
    shown.classList.toggle('over', length > this.#lengthMax);
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
    for (const [color, key] of COLORS) byId('colors').append(swatch(color, key));
    const button = byId<HTMLButtonElement>('style-button');
    const panel = byId('style-panel');
    const open = (visible: boolean): void => {
      panel.hidden = !visible;
      button.setAttribute('aria-expanded', String(visible));
      if (visible) panel.querySelector<HTMLInputElement>('input:checked')?.focus();
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

function radio(name: string, value: string, checked: boolean, key: Key): HTMLElement {
  const face = element('span', 'face');
  inLanguage(() => {
    face.textContent = t(key);
  });
  return element('label', 'radio', radioInput(name, value, checked), face);
}

function swatch(color: number, key: Key): HTMLElement {
  const face = element('span', 'face swatch');
  face.style.background = cssColor(color);
  const input = radioInput('color', String(color), color === COLORS[0]?.[0]);
  const label = element('label', 'radio', input, face);
  inLanguage(() => {
    input.setAttribute('aria-label', t(key));
    label.title = t(key);
  });
  return label;
}

function radioInput(name: string, value: string, checked: boolean): HTMLInputElement {
  const input = element('input', '');
  input.type = 'radio';
  input.name = name;
  input.value = value;
  input.defaultChecked = checked;
  return input;
}

function networkWords(host: string): string {
  return navigator.onLine && host !== location.host ? t('refused_network_at', { host }) : t('refused_network');
}
