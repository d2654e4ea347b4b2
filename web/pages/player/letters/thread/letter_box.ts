// The text box of a conversation: a text, a sticker, a picture or another file, a voice note, and the item that is answered.

import { type Medium } from '@barrage/client';
import { element, icon } from '@barrage/ui/dom.ts';
import { type Letter } from '@barrage/client/inbox';
import { type Attachment } from '../../media/attach.ts';
import { count, t } from '../texts/i18n.ts';
import { stickerPanel } from './stickers.ts';

/** Maximum characters that the server takes by default. */
const TEXT_CHARS_MAX = 2_000;
/** Maximum characters of a file's name; the end of it, which says what it is, is kept. */
const FILE_NAME_CHARS_MAX = 120;

export interface BoxEvents {
  /** The user has written a letter; `medium` is its picture. */
  send(letter: Letter, medium: Medium | null): void;
  /** The text has changed, and is kept for the next visit. */
  draft(text: string): void;
  /** Loads the picture button; null where the server takes no pictures. */
  attachment(text: HTMLElement): Promise<Attachment | null>;
}

export class LetterBox {
  readonly node = element('form', 'letter-box');
  #text = element('textarea', 'letter-text');
  #reply = element('div', 'reply-bar');
  #replyWords = element('span', 'reply-words');
  #stickers = element('div', 'stickers');
  #stickerButton = iconButton('round', 'smile', t('stickers'));
  #hint = element('p', 'hint letter-hint');
  #replyTo: number | null = null;
  #attachment: Attachment | null = null;
  #isClosed = false;

  constructor(
    label: string,
    draft: string,
    private readonly events: BoxEvents,
  ) {
    const send = iconButton('round letter-send', 'send', t('send'));
    send.type = 'submit';
    const cancel = iconButton('bare', 'close', t('cancelReply'));
    cancel.addEventListener('click', () => this.replyTo(null, ''));
    this.#reply.append(icon('reply'), this.#replyWords, cancel);
    this.#reply.hidden = true;
    this.#stickers.hidden = true;
    this.#replyWords.dir = this.#text.dir = 'auto';
    this.#hint.setAttribute('role', 'status');
    this.#text.rows = 1;
    this.#text.value = draft;
    this.#text.placeholder = label;
    this.#text.setAttribute('aria-label', label);
    this.#stickerButton.setAttribute('aria-expanded', 'false');
    this.#stickerButton.addEventListener('click', () => this.#showStickers(this.#stickers.hidden === true));
    this.node.append(this.#reply, this.#stickers, element('div', 'line', this.#stickerButton, this.#text, send), this.#hint);
    this.node.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.node.addEventListener('keydown', (event) => this.#key(event));
    this.#text.addEventListener('input', () => {
      events.draft(this.#text.value);
      this.#count();
    });
    void this.#load();
  }

  /** Ends the box: a picture that was not sent is taken away. */
  close(): void {
    this.#isClosed = true;
    this.#attachment?.close();
  }

  focus(): void {
    this.#text.focus();
  }

  /** Answers an item, or with null none. */
  replyTo(position: number | null, words: string): void {
    this.#replyTo = position;
    this.#replyWords.textContent = words;
    this.#reply.hidden = position === null;
    if (position !== null) this.focus();
  }

  /** Whether an Escape closed something in the box. */
  get #closesSomething(): boolean {
    if (this.#stickers.hidden === false) {
      this.#showStickers(false);
      this.#stickerButton.focus();
      return true;
    }
    if (this.#replyTo === null) return false;
    this.replyTo(null, '');
    this.focus();
    return true;
  }

  #key(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.#closesSomething) event.stopPropagation();
    // Enter that ends the choice of an input method sends nothing.
    else if (event.key === 'Enter' && event.target === this.#text && !event.shiftKey && !event.isComposing) this.#send();
    else return;
    event.preventDefault();
  }

  #send(): void {
    const text = this.#text.value.trim();
    const { reference = null, medium = null, isBusy = false, fileName } = this.#attachment ?? {};
    // The bar of the picture says how far it is.
    if ((text === '' && reference === null) || isBusy || !this.#count()) return;
    const kind = medium?.kind === 'image' ? 'image' : 'file';
    const named = kind === 'file' && fileName !== undefined ? { fileName: [...fileName].slice(-FILE_NAME_CHARS_MAX).join('') } : {};
    this.#emit(reference === null ? { text } : { media: reference, kind, text, ...named }, medium);
    if (reference !== null) this.#attachment?.clear();
    this.#text.value = '';
    this.events.draft('');
  }

  #emit(letter: Letter, medium: Medium | null = null): void {
    this.events.send({ ...letter, ...(this.#replyTo === null ? {} : { replyTo: this.#replyTo }) }, medium);
    this.replyTo(null, '');
  }

  /** Adds the picture button where the server takes pictures. Without an answer of entry there is none until the next visit. */
  async #load(): Promise<void> {
    const attachment = await this.events.attachment(this.#text).catch(() => null);
    if (!attachment) return;
    if (this.#isClosed) return attachment.close();
    this.#attachment = attachment;
    this.#stickers.before(attachment.bar);
    this.#stickerButton.before(attachment.button, attachment.voice, attachment.input);
  }

  /** Returns whether the text is short enough, and says so where it is not. */
  #count(): boolean {
    const length = [...this.#text.value.trim()].length;
    const isFine = length <= TEXT_CHARS_MAX;
    this.#hint.textContent = isFine ? '' : t('tooLong', { count: count(length), max: count(TEXT_CHARS_MAX) });
    return isFine;
  }

  #showStickers(shows: boolean): void {
    this.#stickers.hidden = !shows;
    this.#stickerButton.setAttribute('aria-expanded', String(shows));
    if (!shows) return;
    this.#stickers.replaceChildren(
      stickerPanel((sticker) => {
        this.#showStickers(false);
        this.#emit({ sticker });
        this.focus();
      }),
    );
    this.#stickers.querySelector('button')?.focus();
  }
}

export function iconButton(className: string, sign: string, label: string): HTMLButtonElement {
  const button = element('button', className, icon(sign));
  button.type = 'button';
  button.title = label;
  button.setAttribute('aria-label', label);
  return button;
}
