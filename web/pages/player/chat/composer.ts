// The form to send texts with their style, gifts and likes. Shows why the server refused a message.

import { byId, cssColor, element, icon } from '@barrage/ui/dom.ts';
import { OFFERS, type Offer } from '../page/gifts.ts';
import { count, inLanguage, isKey, t, type Key } from '../page/i18n.ts';
import { type Mode, type Post, type Refused, type Room, type Size, type Style } from '@barrage/client';
import { LENGTH_MAX, lengthOf } from './text.ts';

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
/** Likes within this time are one message. */
const LIKE_WINDOW_MS = 500;
const LIKES_MAX = 1_000;
/** The same gift again within this time is a combo. */
const COMBO_MS = 4_000;
const SUPER_CHAT_MINOR = 3_000;
const SUPER_CHAT_CURRENCY = 'CNY';
const HINT_MS = 5_000;
const MUTED: Key = 'refused_muted';
/** From this share of the longest text on, the text box shows the length. */
const LENGTH_SHOWN = 0.9;
/** Refusals name the rule that was broken. This rule limits one text that a viewer has sent too often. */
const REPEAT_RULE = 'moderation:repeat';
/** The rule that limits the length of a text, in characters. */
const LENGTH_RULE = 'text_chars_max';
/** Rules that limit the size of a text in other units, which the page does not count. */
const SIZE_RULES: ReadonlySet<string> = new Set(['text_code_points_max', 'text_columns_max']);

export interface ComposerEvents {
  /** The room's display quota is used up: only the sender sees the message. */
  held(post: Post & { id: string }): void;
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
  /** Reason for which sending has to wait, and its end. With `text`, only this text has to wait. */
  #wait: { key: Key; untilMs: number; text?: string } | null = null;
  #lengthMax = LENGTH_MAX;
  /** The hint stays until sending works again, instead of for `HINT_MS`. */
  #hintStays = false;
  #open = false;
  #giftsElsewhere = false;
  #hintTimer: number | undefined;

  constructor(
    private readonly room: Room,
    private readonly events: ComposerEvents,
  ) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#chat();
    });
    this.#text.addEventListener('input', () => {
      this.#write();
      void this.room.warm();
    });
    this.#text.addEventListener('focus', () => void this.room.warm());
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

  /** Enables the form while there is a room to send to. */
  enable(open: boolean): void {
    this.#open = open;
    this.#write();
  }

  /** Removes the hint about the network, because the connection is open again. */
  networkIsBack(): void {
    if (!this.#hintStays) return;
    this.#hintStays = false;
    this.#hint.textContent = '';
  }

  /** Adds to the likes of the whole room since this page was opened. */
  likes(more: number): void {
    this.#likesTotal += more;
    byId('likes').textContent = count(this.#likesTotal);
  }

  /** Stops sending until `untilMs`: a signal has muted this viewer. */
  muteUntil(untilMs: number): void {
    this.#wait = { key: MUTED, untilMs };
    this.#write();
  }

  /** Allows sending again: a signal has ended the mute before its time. */
  unmute(): void {
    if (this.#wait?.key !== MUTED) return;
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
    await this.#post({ type: 'chat', text, style: this.#style() }, 'text');
  }

  async #gift(offer: Offer): Promise<void> {
    const now = performance.now();
    const again = this.#combo !== null && this.#combo.key === offer.key && now - this.#combo.at < COMBO_MS;
    this.#combo = { key: offer.key, count: again && this.#combo ? this.#combo.count + 1 : 1, at: now };
    const gift = { name: t(offer.key), count: 1, price_minor: offer.priceMinor, combo: this.#combo.count };
    await this.#post({ type: 'gift', gift }, 'button');
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
    await this.#post({ type: 'super_chat', text, ...price }, 'text');
  }

  #like(): void {
    this.events.liked();
    this.#likes = Math.min(this.#likes + 1, LIKES_MAX);
    if (this.#likes > 1) return;
    setTimeout(() => {
      const post: Post = { type: 'like', count: this.#likes };
      this.#likes = 0;
      void this.#post(post, 'button');
    }, LIKE_WINDOW_MS);
  }

  /** Posts a message. An accepted text leaves the text box; a refused one stays in it. */
  async #post(post: Post, source: 'text' | 'button'): Promise<void> {
    if (source === 'text') this.#busy(true);
    const sent = await this.room.send(post);
    if (source === 'text') this.#busy(false);
    if (sent.kind === 'refused') return this.#refused(sent, post);
    this.networkIsBack();
    if (source === 'text') this.#text.value = '';
    this.#write();
    if (sent.kind === 'held') {
      const { limit } = sent;
      this.hint(
        limit?.offered
          ? t('heldOf', { offered: count(limit.offered), shown: limit.limit })
          : t('held'),
      );
      this.events.held({ ...post, id: sent.id });
    }
  }

  /** Says why the server refused a vote. */
  refused(refusal: Refused): void {
    const key = `refused_${refusal.code}`;
    if (refusal.code === 'network') return this.hint(networkWords(refusal.message), true);
    this.hint(isKey(key) ? t(key) : t('refused_other', { message: refusal.message }));
  }

  #busy(busy: boolean): void {
    this.#sending = busy;
    this.#form.classList.toggle('busy', busy);
  }

  #refused(refusal: Refused, post: Post): void {
    this.#hint.dataset['code'] = refusal.code;
    const key = `refused_${refusal.code}`;
    const text = 'text' in post ? post.text : undefined;
    const { rule, limit: max } = refusal.limit ?? { rule: '', limit: 0 };
    if (refusal.code === 'network') return this.hint(networkWords(refusal.message), true);
    if (refusal.code === 'forbidden' && (post.type === 'gift' || post.type === 'super_chat')) return this.#noGifts();
    if (rule === LENGTH_RULE && text !== undefined) {
      this.#lengthMax = Math.min(this.#lengthMax, max);
      return this.hint(t('tooLong', { count: lengthOf(text), max }));
    }
    if (SIZE_RULES.has(rule)) return this.hint(t('refused_too_large'));
    if (refusal.waitMs !== undefined && isKey(key)) {
      const untilMs = Date.now() + refusal.waitMs;
      const repeated = text !== undefined && rule === REPEAT_RULE;
      this.#wait = repeated ? { key: 'repeated', untilMs, text } : { key, untilMs };
      this.#write();
    } else {
      this.hint(isKey(key) ? t(key) : t('refused_other', { message: refusal.message }));
    }
  }

  /** Disables the gifts: the role of this viewer may not send gifts in this room. */
  #noGifts(): void {
    this.#giftsElsewhere = true;
    this.hint(t('giftsElsewhere'));
    this.#write();
  }

  /** Reports whether the text in the box has to wait. */
  #waits(): boolean {
    if (!this.#wait) return false;
    return this.#wait.text === undefined || this.#wait.text === this.#text.value.trim();
  }

  /** Reports whether the text is too long, and shows a hint if it is. */
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
    // The keyboard scrolls the tray through its buttons; while they are disabled, through the tray itself.
    const tray = byId('gifts');
    if (this.#open && !this.#giftsElsewhere) tray.removeAttribute('tabindex');
    else tray.tabIndex = 0;
    byId<HTMLButtonElement>('like').disabled = this.#text.disabled = !this.#open;
    const left = this.#wait ? Math.ceil((this.#wait.untilMs - Date.now()) / 1000) : 0;
    if (this.#wait && left <= 0) {
      this.#wait = null;
      this.#hint.textContent = '';
    }
    const waits = this.#open && this.#waits();
    const reason = this.#wait ? t(this.#wait.key) : '';
    if (waits) {
      clearTimeout(this.#hintTimer);
      // The button counts down; the sentence is written once, so that a screen reader says it once.
      if (this.#hint.textContent !== reason) this.#hint.textContent = reason;
    } else if (reason !== '' && this.#hint.textContent === reason) {
      // The box has another text than the one that has to wait, or the room has ended.
      this.#hint.textContent = '';
    }
    const words = waits ? t('countdown', { secs: left }) : t('send');
    const button = byId('send-text');
    if (button.textContent !== words) button.textContent = words;
    this.#send.disabled = waits || !this.#open;
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
