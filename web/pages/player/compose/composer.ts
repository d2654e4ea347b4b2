// The form to send texts. Shows why the server refused a message, and for how long sending has to wait.

import { byId } from '@barrage/ui/dom.ts';
import { type Post, type Refused, type Sent } from '@barrage/client';
import { LENGTH_MAX, lengthOf } from '../chat/text.ts';
import { count, inLanguage, isKey, type Key, t } from '../page/i18n.ts';
import { plainText } from '../moderate/commands.ts';
import { type Draft } from './draft.ts';
import { StylePanel } from './style_panel.ts';
import { countdown, type Wait, waits } from './waits.ts';

const HINT_MS = 5_000;
const MUTED: Key = 'refused_muted';
const SLOW: Key = 'refused_slow_mode';
/** From this share of the longest text on, the text box shows the length. */
const LENGTH_SHOWN = 0.9;
/** Refusals name the rule that was broken. This rule limits one text that a viewer has sent too often. */
const REPEAT_RULE = 'moderation:repeat';
/** The name of the sender's token is that of an account. */
const NAME_RULE = 'account_name';
/** The rule that limits the length of a text, in characters. */
const LENGTH_RULE = 'text_chars_max';
/** Rules that limit the size of a text in other units, which the page does not count. */
const SIZE_RULES: ReadonlySet<string> = new Set(['text_code_points_max', 'text_columns_max']);

export interface ComposerEvents {
  post(post: Post): Promise<Sent>;
  /** The viewer begins to write: a connection for the post may be opened. */
  warm(): void;
  /** Only the sender sees the message. */
  held(post: Post, id: string, rule: string): void;
  /** Runs a command. Returns whether its text leaves the text box. */
  command(text: string): Promise<boolean>;
  /** Seconds of the slow mode that this viewer obeys; 0 for none. */
  slowSecs(): number;
  /** Picture that goes with the next text: its reference, and whether it is still on its way. */
  readonly picture: { readonly reference: string | null; readonly isBusy: boolean; sent(): void };
}

export class Composer {
  #form = byId<HTMLFormElement>('composer');
  #text = byId<HTMLInputElement>('text');
  #send = byId<HTMLButtonElement>('send');
  #hint = byId('hint');
  #style = new StylePanel(this.#form);
  #sending = false;
  #wait: Wait | null = null;
  #lengthMax = LENGTH_MAX;
  /** The hint stays until sending works again, instead of for `HINT_MS`. */
  #hintStays = false;
  #open = false;
  /** Whether the room allows this viewer no message now. */
  #roomMuted = false;
  #hintTimer: number | undefined;

  constructor(
    private readonly draft: Draft,
    private readonly events: ComposerEvents,
  ) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#text.addEventListener('input', () => {
      this.#write();
      events.warm();
    });
    this.#text.addEventListener('focus', () => events.warm());
    inLanguage(() => this.#write());
    setInterval(() => {
      if (this.#wait) this.#write();
    }, 250);
  }

  /** Text in the box. */
  get text(): string {
    return this.#text.value.trim();
  }

  set text(text: string) {
    this.#text.value = text;
    this.#text.dispatchEvent(new Event('input'));
    this.#text.focus();
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

  /** Stops sending until `untilMs`: a signal has muted this viewer. */
  muteUntil(untilMs: number): void {
    this.#wait = { key: MUTED, untilMs };
    this.#write();
  }

  /** Allows sending again: a signal has ended the mute before its time. */
  unmute(): void {
    this.#endWait(MUTED);
  }

  /** Takes the rules of the room for this viewer. */
  rules(muted: boolean, slowSecs: number): void {
    this.#roomMuted = muted;
    if (slowSecs === 0) this.#endWait(SLOW);
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

  /** Posts a message. An accepted text leaves the text box; a refused one stays in it. */
  async post(post: Post, source: 'text' | 'button'): Promise<Sent> {
    const before = this.#text.value;
    if (source === 'text') this.#busy(true);
    const sent = await this.events.post(post);
    if (source === 'text') this.#busy(false);
    if (sent.kind === 'refused') {
      this.#refused(sent, post);
      return sent;
    }
    this.networkIsBack();
    // What the viewer has written meanwhile stays.
    if (source === 'text' && this.#text.value === before) this.#text.value = '';
    if (source === 'text') this.draft.sent();
    if (post.type === 'chat') this.#slowDown();
    this.#write();
    if (sent.kind === 'held') this.#held(post, sent);
    return sent;
  }

  /** Sends a sticker, unless sending has to wait. The text in the box stays. */
  async sticker(id: string): Promise<void> {
    if (this.#sending || !this.#open || this.#roomMuted || waits(this.#wait, '')) return;
    await this.post({ type: 'chat', text: '', sticker: id }, 'button');
  }

  /** Says why the server refused a vote or an action. */
  refused(refusal: Refused): void {
    const key = `refused_${refusal.code}`;
    if (refusal.code === 'network') return this.hint(networkWords(refusal.message), true);
    this.hint(isKey(key) ? t(key) : t('refused_other', { message: refusal.message }));
  }

  /** Whether a text for another kind of message is there and not too long; says what is missing. */
  hasText(missing: Key): boolean {
    if (this.text === '') {
      this.hint(t(missing));
      this.#text.focus();
      return false;
    }
    return !this.#sending && !this.#isTooLong(this.text);
  }

  async #submit(): Promise<void> {
    const given = this.text;
    const text = plainText(given);
    const { reference, isBusy } = this.events.picture;
    if ((given === '' && reference === null) || this.#sending || !this.#open) return;
    if (text === null) {
      this.#busy(true);
      const done = await this.events.command(given);
      this.#busy(false);
      if (done && this.text === given) this.#text.value = '';
      return this.#write();
    }
    // The bar of the picture says how far it is.
    if (isBusy || this.#waits() || this.#roomMuted || this.#isTooLong(text)) return;
    const media = reference === null ? {} : { media: reference };
    const sent = await this.post({ type: 'chat', text, style: this.#style.chosen, ...this.draft.fields(text), ...media }, 'text');
    if (sent.kind !== 'refused' && reference !== null) this.events.picture.sent();
  }

  /** Under slow mode the next text has to wait from now on. */
  #slowDown(): void {
    const secs = this.events.slowSecs();
    if (secs > 0) this.#wait = { key: SLOW, untilMs: Date.now() + secs * 1000 };
  }

  #held(post: Post, { id, rule, limit }: Extract<Sent, { kind: 'held' }>): void {
    this.hint(limit?.offered ? t('heldOf', { offered: count(limit.offered), shown: limit.limit }) : t('held'));
    this.events.held(post, id, rule);
  }

  #endWait(key: Key): void {
    if (this.#wait?.key !== key) return;
    this.#wait = null;
    this.#hint.textContent = '';
    this.#write();
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
    if (rule === LENGTH_RULE && text !== undefined) {
      this.#lengthMax = Math.min(this.#lengthMax, max);
      return this.hint(t('tooLong', { count: lengthOf(text), max }));
    }
    if (SIZE_RULES.has(rule)) return this.hint(t('refused_too_large'));
    if (rule === NAME_RULE) return this.hint(t('refused_name'));
    if (refusal.waitMs === undefined || !isKey(key)) return this.refused(refusal);
    const untilMs = Date.now() + refusal.waitMs;
    const repeated = text !== undefined && rule === REPEAT_RULE;
    this.#wait = repeated ? { key: 'repeated', untilMs, text } : { key, untilMs };
    this.#write();
  }

  /** Reports whether the text in the box has to wait. */
  #waits(): boolean {
    return waits(this.#wait, this.text) && plainText(this.text) !== null;
  }

  /** Reports whether the text is too long, and shows a hint if it is. */
  #isTooLong(text: string): boolean {
    const length = lengthOf(text);
    if (length <= this.#lengthMax) return false;
    this.hint(t('tooLong', { count: length, max: this.#lengthMax }));
    return true;
  }

  #write(): void {
    this.#writeLength();
    this.#text.disabled = !this.#open;
    const left = this.#wait ? Math.ceil((this.#wait.untilMs - Date.now()) / 1000) : 0;
    if (this.#wait && left <= 0) {
      this.#wait = null;
      this.#hint.textContent = '';
    }
    const waiting = this.#open && this.#waits();
    const reason = this.#wait ? t(this.#wait.key) : '';
    if (waiting) {
      clearTimeout(this.#hintTimer);
      // The button counts down; the sentence is written once, so that a screen reader says it once.
      if (this.#hint.textContent !== reason) this.#hint.textContent = reason;
    } else if (reason !== '' && this.#hint.textContent === reason) {
      // The box has another text than the one that has to wait, or the room has ended.
      this.#hint.textContent = '';
    }
    const { key, values } = countdown(left);
    const words = waiting ? t(key, values) : t('send');
    const button = byId('send-text');
    if (button.textContent !== words) button.textContent = words;
    this.#send.disabled = waiting || !this.#open || (this.#roomMuted && plainText(this.text) !== null);
    const placeholder = t(this.#roomMuted ? 'refused_room_muted' : 'placeholder');
    if (this.#text.placeholder !== placeholder) this.#text.placeholder = placeholder;
  }

  #writeLength(): void {
    const length = lengthOf(this.#text.value);
    const shown = byId('length');
    shown.hidden = length < this.#lengthMax * LENGTH_SHOWN;
    shown.textContent = `${length}/${this.#lengthMax}`;
    shown.classList.toggle('over', length > this.#lengthMax);
  }
}

function networkWords(host: string): string {
  return navigator.onLine && host !== location.host ? t('refused_network_at', { host }) : t('refused_network');
}
