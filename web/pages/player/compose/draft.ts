// What belongs to the next text beside its words: the message to which it replies, and the users that it
// addresses.

import { byId } from '@barrage/ui/dom.ts';
import { inLanguage, t } from '../page/i18n.ts';
import { type Senders } from '../log/senders.ts';

/** Users that a text may address, as the server counts. */
const MENTIONS_MAX = 10;

export interface ReplyTo {
  sequence: number;
  name: string;
  text: string;
}

export class Draft {
  #reply: ReplyTo | null = null;
  /** Names that were chosen from the list: they may have spaces. */
  #chosen = new Map<string, string>();

  constructor(
    private readonly text: HTMLInputElement,
    private readonly senders: Senders,
  ) {
    byId('reply-cancel').addEventListener('click', () => {
      this.replyTo(null);
      text.focus();
    });
    text.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#reply && text.value === '') this.replyTo(null);
    });
    inLanguage(() => this.#write());
  }

  replyTo(reply: ReplyTo | null): void {
    this.#reply = reply;
    this.#write();
    if (reply) this.text.focus();
  }

  /** Puts the name of a user at the end of the text. */
  mention(user: string, name: string): void {
    this.#chosen.set(name, user);
    const before = this.text.value.trimEnd();
    this.text.value = `${before === '' ? '' : `${before} `}@${name} `;
    this.text.dispatchEvent(new Event('input'));
    this.text.focus();
  }

  /** Remembers a name that was chosen while the text was written. */
  chose(user: string, name: string): void {
    this.#chosen.set(name, user);
  }

  /** Returns the fields of a post. */
  fields(text: string): { reply_to?: number; mentions?: string[] } {
    const mentions = this.#mentions(text);
    return { ...(this.#reply ? { reply_to: this.#reply.sequence } : {}), ...(mentions.length > 0 ? { mentions } : {}) };
  }

  get reply(): ReplyTo | null {
    return this.#reply;
  }

  /** Forgets all of it: the text was sent. */
  sent(): void {
    this.#chosen.clear();
    this.replyTo(null);
  }

  #mentions(text: string): string[] {
    const users = new Set<string>();
    for (const [name, user] of this.#chosen) if (text.includes(`@${name}`)) users.add(user);
    for (const [, name = ''] of text.matchAll(/@([^\s@]{1,40})/gu)) {
      const found = this.senders.find(name);
      if (found) users.add(found.user);
    }
    return [...users].slice(0, MENTIONS_MAX);
  }

  #write(): void {
    byId('reply-bar').hidden = this.#reply === null;
    byId('reply-words').textContent = this.#reply ? t('replyingTo', { name: this.#reply.name, text: this.#reply.text }) : '';
  }
}
